"""Widgets that paint lines themselves: flat arrays and windows, `Safe` text only."""
