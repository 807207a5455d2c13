"""Sample values shared by the agent's tests."""

from __future__ import annotations

SECRETS = {
    "PLAIN": "correct-horse-battery",
    "QUOTED": 'p"w\\d\n&=%',
    "WIDE": "pässwörd-🦀",
    "BEGIN": "correct-horse",
}
