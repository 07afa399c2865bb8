"""Scores a new table with a fitted model: which rows are flagged and why, what moved since training, what was promised and came."""
