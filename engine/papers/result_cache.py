"""Where finished runs of a table are kept, so that it goes on where it stopped: the store, or a folder of JSON files."""

from __future__ import annotations
