"""How an order becomes parcels."""

from __future__ import annotations

PARCEL_GRAMS = 5000


def pack(quantity: int, grams: int) -> list[int]:
    """How many pieces go into each parcel: as many as it carries; one too heavy for any travels alone."""
    per_parcel = PARCEL_GRAMS // grams
    full, rest = divmod(quantity, per_parcel)
    return [per_parcel] * full + ([rest] if rest else [])
