"""The texts of the choice of a class by a cost matrix."""

from __future__ import annotations

TITLE = "Lowest cost by a cost matrix"
HOW = (
    "What each mistake costs: rows are the true class, columns the chosen one. Each row gets the class of lowest expected cost."
)
TRUE = "true class"
CHOSEN = "choose {label}"
SAID = "The class of lowest cost costs {cost} per 1,000 test rows."
BESIDE = "The likeliest class costs {cost}."
FROM_TO = "{mean} (from {low} to {high})"
COUNTS = "Per 1,000 test rows"
GAPS = "Fill every cell with a number."
TOO_MANY = "A cost matrix is shown for up to {most} classes; this table has {n}."
