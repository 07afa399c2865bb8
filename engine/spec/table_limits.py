"""How large an uploaded table may be."""

from __future__ import annotations

MAX_BYTES = 64 << 20
"""Bytes of a file as it is sent."""

MAX_INFLATED = 256 << 20
"""Bytes of what a zip, a gz or a workbook holds, counted while it is inflated."""

MAX_ROWS = 1_000_000
MAX_COLUMNS = 2_000
MAX_CELLS = 20_000_000

MAX_NAME = 1_000
"""Characters of a column's name that are kept."""
