"""Recorded runs that ship with the product, and the gallery's cards."""
