"""Large tables as CSV, drawn from a seed: made when they are needed, since they are too large to keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np

BLOCK = 20_000
"""Rows that are drawn and written at once."""


def write_cards(path: Path, rows: int = 285_000, columns: int = 31) -> Path:
    """Card payments as the best known fraud table holds them: Time, columns of 15 digits, Amount, Class with 1.7 in 1,000 of 1."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(["Time", *(f"V{i}" for i in range(1, columns - 2)), "Amount", "Class"]) + "\n")
        for start in range(0, rows, BLOCK):
            n = min(BLOCK, rows - start)
            y = (rng.random(n) < 0.0017).astype(int)
            x = rng.standard_normal((n, columns - 3)) + 0.8 * y[:, None]
            seconds = np.sort(rng.integers(0, 172_800, n))
            amounts = rng.gamma(1, 88, n)
            for second, row, amount, label in zip(seconds, x, amounts, y, strict=True):
                file.write(f"{second}," + ",".join(f"{value:.15g}" for value in row) + f",{amount:.2f},{label}\n")
    return path


def write_counts(path: Path, rows: int = 1_960_000, columns: int = 50) -> Path:
    """Small whole numbers, so that there are many cells in few bytes, and a Class with 1 in 100 of 1."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="ascii") as file:
        file.write(",".join([*(f"V{i}" for i in range(1, columns)), "Class"]) + "\n")
        for start in range(0, rows, BLOCK):
            n = min(BLOCK, rows - start)
            block = rng.integers(0, 500, (n, columns))
            block[:, -1] = rng.random(n) < 0.01
            np.savetxt(file, block, fmt="%d", delimiter=",")
    return path
