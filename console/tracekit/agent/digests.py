"""Hashes without the library that hashes in every other way, too: to load that takes longer than all that is hashed."""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:  # an interpreter that was built without it has another way
    from hashlib import blake2b

__all__ = ["blake2b"]
