"""Finished runs included in the product, so that there is something to see before the first training: `python -m engine
example`.

An example is a bundle of the store and a card of the gallery: a title, a difference, numbers and a picture, all read from the bundle.
The title is computed: it says where the interval of that difference lies. Each number may claim on which side of 0 its interval lies; if
the bundle shows something else, `build_card` raises, so a card cannot claim what its runs do not show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.examples.bundle import Bundle, Fact, Judged
from engine.examples.facts import (
    SWEEP,
    judge_calibration,
    judge_eos,
    judge_gap_rise,
    judge_hidden,
    judge_sweep_card,
    measure_calibration,
    measure_dos,
    measure_eos,
    measure_gap_rise,
    measure_hidden,
    measure_moving,
    measure_sweep,
)
from engine.examples.film import draw_film
from engine.examples.pictures import draw_gap_by_class, draw_gap_by_ratio, draw_ratios, draw_reliability, draw_spread
from engine.examples.titles import choose_middle, judge_method, judge_moving
from engine.spec import Imbalance, RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.result import Result
from engine.sweep import SweepSpec


@dataclass(frozen=True)
class Example:
    """The runs of an example, and the card that shows them.

    wanted: runs, each with its companions; or a comparison; or a sweep. page: target of the link. words: the rest of its address.
    judge: title, setting and difference. said: what is seen, in a sentence or two; the setting without it. facts, picture: functions of
    the bundle; film: of the moving picture, where there is one. choose: the replicate of the first run that is shown, from the results;
    the first one without it.
    """

    wanted: Sequence[RunSpec] | CompareSpec | SweepSpec
    page: str
    words: Callable[[Bundle], dict[str, str]]
    judge: Callable[[Bundle], Judged]
    said: str
    facts: Callable[[Bundle], list[Fact]]
    picture: Callable[[Bundle], str]
    film: Callable[[Bundle], str] | None = None
    choose: Callable[[Sequence[Result]], int] | None = None


def open_first(bundle: Bundle) -> dict[str, str]:
    """The address of the first run, at the replicate that is shown."""
    return {"run": bundle.ids[0]} | ({"replicate": str(bundle.shown)} if bundle.shown else {})


def _draw(bundle: Bundle, *, play: bool = False) -> str:
    scene, frames = bundle.film()
    return draw_film(scene, frames, label="Rows of both classes and the way of the synthetic points.", play=play)


def _play(bundle: Bundle) -> str:
    return _draw(bundle, play=True)


def _moving(spec: RunSpec, said: str) -> Example:
    """An example of points that move on an ordinary split."""
    return Example(
        (spec,), "lab", open_first, lambda bundle: judge_moving(bundle, spec), said, lambda bundle: measure_moving(bundle, spec),
        _draw, _play,
    )  # fmt: skip


DIGITS = Imbalance("exponential", 20.0)
NETWORK = {"model": "mlp"}
HIDDEN = RunSpec(
    "hidden-cluster",
    "explicit-gradient",
    params={
        "hidden": [64, 64], "copies": 5, "batch_points": 128, "batch_outer": 1024, "eta_model": 0.01, "eta_points": 2000.0, "clamp": True,
        "patience": 60,
    },
    folds=1,
    seeds=20,
    seed=1,
)  # fmt: skip
"""The step was chosen on other draws. The seed was never looked at before."""
RINGS = RunSpec("rings", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 6000}, folds=4, seeds=3)
MOONS = RunSpec("moons", "explicit-gradient", Imbalance("ratio", 50.0), data={"rows": 6000}, folds=4, seeds=5)
CLUSTERS = RunSpec("clusters", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 4000}, folds=4, seeds=2)
EOS = RunSpec("digits", "eos", DIGITS, params=NETWORK, folds=4, seeds=3)
DOS = RunSpec("digits", "dos", DIGITS, params=NETWORK, folds=4, seeds=3)
EXAMPLES = {
    "hidden": Example(
        (HIDDEN,), "lab", open_first, lambda bundle: judge_hidden(bundle, HIDDEN), "",
        lambda bundle: measure_hidden(bundle, HIDDEN), _draw, _play, choose_middle,
    ),
    "rings": _moving(RINGS, "The points leave the ring of the rare rows."),
    "moons": _moving(MOONS, "The points leave their moon. The curves lie on each other."),
    "clusters": _moving(CLUSTERS, "The same step carries the points out of their clusters."),
    "gap": Example(
        tuple(
            RunSpec("digits", "ce", Imbalance("exponential", ratio), params=NETWORK, folds=4, seeds=3)
            for ratio in (100.0, 5.0, 20.0)
        ),
        "deep",
        lambda bundle: {"run": bundle.ids[0], "beside": bundle.ids[2]},
        judge_gap_rise,
        "The gap: how far test features lie outside those of training.",
        measure_gap_rise,
        draw_gap_by_ratio,
    ),
    "eos": Example(
        (EOS, EOS.with_(params=NETWORK | {"sampler": "smote"})),
        "deep",
        lambda bundle: {"run": bundle.ids[0], "beside": bundle.ids[4]},
        judge_eos,
        "New rows of EOS lie towards other classes. Rows of SMOTE stay between rows of their class.",
        measure_eos,
        draw_gap_by_class,
    ),
    "dos": Example(
        (DOS,),
        "deep",
        open_first,
        lambda bundle: judge_method(bundle, DOS),
        "In every round DOS draws the features of a rare class towards their neighbours.",
        measure_dos,
        draw_spread,
    ),
    "calibration": Example(
        CompareSpec({"dataset": "rings"}, ratio=10.0, methods=("ce", "smote"), budget=90.0),
        "data",
        lambda bundle: {"compare": bundle.ids[0], "step": "decide", "method": "smote"},
        judge_calibration,
        "SMOTE trains on equal classes. Its probabilities of the rare class are too high.",
        measure_calibration,
        draw_reliability,
    ),
    "sweep": Example(
        SWEEP,
        "compare",
        lambda bundle: SWEEP.to_query(),
        judge_sweep_card,
        "Four methods at three ratios, beside plain training and all rows.",
        measure_sweep,
        draw_ratios,
    ),
}  # fmt: skip
"""name -> example, in the order of the gallery. A first visit shows `app.session.recorded.SHOWN_FIRST`."""
