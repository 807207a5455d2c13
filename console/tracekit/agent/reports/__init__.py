"""Readers of other tools' reports: bytes in, cases out, nothing else. Used by runs and by imports alike."""
