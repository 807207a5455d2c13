"""A small shop: a catalogue, orders, and a worker that packs them."""
