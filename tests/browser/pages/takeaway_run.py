"""The film that takeaway_page.py shows and takeaway_app.py previews: that of `fake.run`, with the units of a points set."""

from dataclasses import replace
from functools import cache

from tests.browser import fake

CENTRE, HALF = (0.5, 0.25), (1.5, 1.0)
"""The view box in the units of the set."""
LABELS = {"training": "first classifier", "points": "points move"}


@cache
def make_film(count, synthetic, move=0.9, made=""):
    """The scene and frames of `fake.run`."""
    scene, frames = fake.run(count, synthetic, move, made=made)
    return replace(scene, data_centre=CENTRE, data_half=HALF), frames
