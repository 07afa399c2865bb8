"""Recorded runs included in the product, and the gallery's cards."""
