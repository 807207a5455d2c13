"""Profiles, settings and keymap: TOML in, frozen dataclasses out, every fault at once with file, line and key.

Never runs anything and never shows a secret.
"""
