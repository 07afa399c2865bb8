"""Texts of the first steps, above the first film."""

from __future__ import annotations

STEPS = {
    "watch": ("Watch", "Play the film: some points walk to a cluster that training lacks."),
    "change": ("Change a slider", "Raise the hidden rows in training."),
    "compare": ("Compare", "Open Compare: methods on several datasets."),
    "table": ("Your table", "Open Your data: a table of your own."),
}
"""name -> title and what to do, in their order."""
STEPS_DEMO = {"change": "Open another run of the gallery.", "table": "Open Your data: a recorded comparison."}
"""What to do in a demonstration, where nothing is trained and no table is taken."""
STEPS_PLAIN = {"watch": "Play the film: points leave their rows.", "change": "Lower the ratio."}
"""What to do where another film is the first one."""
ALT = "First steps"
DONE = "done"
