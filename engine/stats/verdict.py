"""Whether a method is better than plain training: paired differences, Holm's correction over all of them, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.stats.significance import LEVEL, TTest, holm, t_test

ALPHA = 1 - LEVEL


@dataclass(frozen=True)
class Difference:
    """A method minus plain training on common replicates. test: mean, 95% interval, p and n; p_holm: adjusted over all methods."""

    test: TTest
    p_holm: float

    @property
    def better(self) -> bool:
        """Above plain training after Holm's correction."""
        return bool(self.p_holm < ALPHA and self.test.mean > 0)

    @property
    def worse(self) -> bool:
        """Below plain training after Holm's correction."""
        return bool(self.p_holm < ALPHA and self.test.mean < 0)


Values = Mapping[int, float]
"""Number of the replicate -> value."""


def compute_differences(values: Mapping[str, Values], plain: str, test_share: float) -> dict[str, Difference]:
    """Every other method minus `plain`, by the corrected resampled t on their common replicates.

    values: method -> its values; values that are not finite are left out. test_share: as in `significance.t_test`.
    """
    base = values[plain]
    tests = {}
    for name, own in values.items():
        if name != plain:
            common = sorted(own.keys() & base.keys())
            tests[name] = t_test(np.array([own[r] - base[r] for r in common]), test_share)
    adjusted = holm([t.p for t in tests.values()])
    return {name: Difference(test, p) for (name, test), p in zip(tests.items(), adjusted, strict=True)}


def find_best(differences: Mapping[str, Difference]) -> str | None:
    """The method with the largest mean difference among those better than plain training after Holm; None where there is none."""
    better = {name: d.test.mean for name, d in differences.items() if d.better}
    return max(better, key=lambda name: better[name]) if better else None


def write_verdict(differences: Mapping[str, Difference], titles: Mapping[str, str], metric: str) -> str:
    """The verdict as a sentence, with its precision. titles: name -> title; metric: its label."""
    tested = {name: d for name, d in differences.items() if np.isfinite(d.test.p)}
    metric = metric[0].lower() + metric[1:] if metric[1:2].islower() else metric
    if not differences:
        return "Plain training was run alone: there is nothing to compare it with."
    if not tested:
        return f"Too few replicates were completed to compare anything: a difference in {metric} needs at least two."
    many = len(tested)
    over = f"over {many} methods" if many > 1 else "for one method"
    name = find_best(tested)
    worse = [titles[n] for n, d in tested.items() if d.worse]
    also = f" Worse than plain training: {_join_names(worse)}." if worse else ""
    if name is not None:
        top = tested[name]
        beside = [titles[n] for n, d in tested.items() if d.better and n != name]
        rest = f" Also better than plain training: {_join_names(beside)}." if beside else ""
        return (
            f"{titles[name]} is better than plain training here: {metric} {_format_difference(top)}, "
            f"p = {top.p_holm:.2g} by Holm {over}, on {top.test.n} replicates.{rest}{also}"
        )
    name = max(tested, key=lambda n: tested[n].test.mean)
    top = tested[name]
    half = (top.test.high - top.test.low) / 2
    seen = (
        f" On {top.test.n} replicates that interval reaches {half:.3f} to either side: a smaller gain could not be told from none."
        if half > 0
        else ""
    )
    return (
        f"No method is better than plain training here: the largest gain in {metric} is that of {titles[name]}, "
        f"{_format_difference(top)}, p = {top.p_holm:.2g} by Holm {over}.{seen}{also}"
    )


def _format_difference(d: Difference) -> str:
    return f"{d.test.mean:+.3f} [{d.test.low:+.3f}, {d.test.high:+.3f}]"


def _join_names(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
