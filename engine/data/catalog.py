"""Stable import path of the datasets for code that people exported; `engine.data.sources` holds them."""

from engine.data.sources import available, datasets, fetch, load, unreadable

__all__ = ["available", "datasets", "fetch", "load", "unreadable"]
