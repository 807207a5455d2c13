"""Recorded runs in other tools' formats: one file per format. Reads a view, writes text, decides no verdict."""
