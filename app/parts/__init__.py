"""Pieces that every page uses: sharing, tables, sizes."""
