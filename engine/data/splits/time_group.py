"""A split by time and owner: by time, and an owner seen in several parts of an origin stays in one of them.

Which one is drawn, by OWNER_WEIGHTS; the owner's rows in the other parts are left out.
"""

from __future__ import annotations

import numpy as np

from engine.data.split import Parts
from engine.data.splits.kept import build_parts, find_short, refuse_short, split_owners
from engine.data.splits.time import TimeSplit
from engine.data.table import Dataset
from engine.seeds import numpy_stream
from engine.spec import RunSpec
from engine.stats.time_cuts import AMPLE, LEAST, OWNER_WEIGHTS, PARTS, SHARES

TRIES = 20
"""Draws of one seed index until every part has enough rows of each class."""


class TimeGroupSplit(TimeSplit):
    """See the module. Raises BadData where the rows allow no split, or where a part has too few rows of a class without the owners
    that are on both sides.
    """

    def __init__(self, dataset: Dataset, spec: RunSpec, delay: float) -> None:
        assert dataset.owner is not None
        self.owner = split_owners(dataset.owner)
        short, most = None, SHARES[0][0]
        while most:
            super().__init__(dataset, spec, delay, most=most)
            most, self.least = self.origins - 1, AMPLE if self.origins > 1 else LEAST
            tried = [self._try(spec, 0, number, parts)[1] for number, parts in enumerate(super().split(spec, 0))]
            short = next(filter(None, tried), None)
            if short is None:
                return
        assert short is not None
        raise refuse_short(dataset, "time and owner", short, delay > 0)

    def count_dropped(self, spec: RunSpec) -> dict[str, int]:
        """Also the rows of owners in the parts that they do not stay in, a mean over origins."""
        whole, kept = super().split(spec, 0), self.split(spec, 0)
        lost = [
            sum(len(getattr(before, part)) - len(getattr(parts, part)) for part in PARTS)
            for before, parts in zip(whole, kept, strict=True)
        ]
        return super().count_dropped(spec) | {"owner": round(float(np.mean(lost)))}

    def split(self, spec: RunSpec, index: int) -> list[Parts]:
        """The parts of every origin; each seed index draws anew which part an owner stays in."""
        whole = super().split(spec, index)
        out = []
        for number in range(self.origins):
            parts, short = self._try(spec, index, number, whole[number])
            # the first draw is known to serve
            out.append(parts if short is None else self._try(spec, 0, number, whole[number])[0])
        return out

    def _try(self, spec: RunSpec, index: int, number: int, parts: Parts) -> tuple[Parts, tuple[str, int, int] | None]:
        """(parts with every owner in one of them, the part that is too small in every draw or None)."""
        rng = numpy_stream(spec.seed, "owners", index, number)
        for _ in range(TRIES):
            out = part_owners(parts, self.owner, rng)
            short = find_short(self.dataset, out, self.least)
            if short is None:
                break
        return out, short


def part_owners(parts: Parts, owner: np.ndarray, rng: np.random.Generator) -> Parts:
    """The parts with every owner in one of them. owner [n], from 0 on."""
    rows = [getattr(parts, name) for name in PARTS]
    many = int(owner.max()) + 1
    seen = np.stack([np.bincount(owner[r], minlength=many) > 0 for r in rows])
    weight = seen * np.array(OWNER_WEIGHTS)[:, None]
    upto = np.cumsum(weight, axis=0)
    stays = (rng.random(many) * upto[-1] >= upto).sum(0)
    stays = np.minimum(stays, len(PARTS) - 1)
    return build_parts(*(r[stays[owner[r]] == i] for i, r in enumerate(rows)))
