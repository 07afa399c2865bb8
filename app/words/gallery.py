"""Texts of the gallery. Titles, settings and numbers come with the cards, from the recorded runs."""

from __future__ import annotations

TITLE = "Gallery"
NONE = "No recorded run came with this copy. `python -m engine example moons` makes one."
BETTER, WORSE, NEITHER = "better", "worse", "no difference found"
DIFFERENCE = "{title} Difference to {zero}: {mean}, interval from {low} to {high}, {n} replicates."
"""The text alternative of a dot."""
SENSES = {"above 0": "above 0", "below 0": "below 0", "holds 0": "no difference found", "": ""}
"""Where an interval lies, in the table of all numbers."""
NUMBERS = "The numbers of all recorded runs"
BROKEN = "This recorded run cannot be opened: {reason}"
