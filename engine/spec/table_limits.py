"""Limits on the size of an uploaded table."""

from __future__ import annotations

MAX_BYTES = 512 << 20
"""Bytes of a file as uploaded."""

MAX_INFLATED = 1 << 30
"""Bytes inside a zip, a gz or a workbook, counted while it is inflated."""

MAX_ROWS = 2_000_000
MAX_COLUMNS = 2_000
MAX_CELLS = 100_000_000

MAX_NAME = 1_000
"""Characters kept of a column's name."""
