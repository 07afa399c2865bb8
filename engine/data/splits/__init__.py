"""Splits by owner, by time, and by both: one file each. At random is `engine.data.split`."""
