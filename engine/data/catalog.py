"""Where code that people took away imports the datasets from; `engine.data.sources` holds them."""

from engine.data.sources import available, datasets, fetch, load, unreadable

__all__ = ["available", "datasets", "fetch", "load", "unreadable"]
