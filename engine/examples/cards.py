"""Finished runs included in the product, so that there is something to see before the first training: `python -m engine
example`.

An example is a bundle of the store and a card of the gallery: a title, two sentences, numbers and a picture, all read from the
bundle. Each number claims on which side of 0 its interval lies. If the bundle shows something else, `build_card` raises, so a
card cannot claim what its runs do not show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.examples.bundle import Bundle, Fact
from engine.examples.facts import (
    SWEEP,
    measure_calibration,
    measure_clusters,
    measure_dos,
    measure_eos,
    measure_gap_rise,
    measure_moons,
    measure_rings,
    measure_sweep,
)
from engine.examples.pictures import draw_gap_by_class, draw_gap_by_ratio, draw_ratios, draw_reliability, draw_spread, draw_ways
from engine.spec import Imbalance, RunSpec
from engine.spec.comparison import CompareSpec
from engine.sweep import SweepSpec


@dataclass(frozen=True)
class Example:
    """The runs of an example, and the card that shows them.

    title. look: what to look at. means: what it means. wanted: runs, each with its companions; or a comparison; or a sweep.
    page: target of the link. words: the rest of its address, from the ids. facts, picture: functions of the bundle. legend:
    marks of the picture and what they mean.
    """

    title: str
    look: str
    means: str
    wanted: Sequence[RunSpec] | CompareSpec | SweepSpec
    page: str
    words: Callable[[Sequence[str]], dict[str, str]]
    facts: Callable[[Bundle], list[Fact]]
    picture: Callable[[Bundle], str]
    legend: str


def _first_run(ids: Sequence[str]) -> dict[str, str]:
    return {"run": ids[0]}


DIGITS = Imbalance("exponential", 20.0)
NETWORK = {"model": "mlp"}
WAYS = "Dots: real rows, the rare ones larger. Diamonds: where the copies ended, with their way."
EXAMPLES = {
    "rings": Example(
        "Points that move and help",
        "Watch the copies leave their places; then compare F1 with that of the frozen copies, under All measures of all methods.",
        "Copies that moved raise fewer false alarms than copies that stand still, so F1 is higher. They also find fewer of the rare rows, "
        "and the ranking (average precision) is no better than plain training's.",
        (RunSpec("rings", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 6000}, folds=4, seeds=3),),
        "lab",
        _first_run,
        measure_rings,
        draw_ways,
        WAYS,
    ),
    "moons": Example(
        "Points that move and do not help",
        "Watch the film: the diamonds are copies of minority rows that learn where to stand, and the median one goes a long way.",
        "The curves beside it lie on each other: on two moons at 50:1 moving them changes nothing that can be told from chance.",
        (RunSpec("moons", "explicit-gradient", Imbalance("ratio", 50.0), data={"rows": 6000}, folds=4, seeds=5),),
        "lab",
        _first_run,
        measure_moons,
        draw_ways,
        WAYS,
    ),
    "clusters": Example(
        "Points that move too far and harm",
        "Watch the film: with the same step as in the other two the copies run far out of their clusters.",
        "Average precision falls below plain training's and below that of copies that stand still: a step that shows on one dataset is "
        "too long on another.",
        (RunSpec("clusters", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 4000}, folds=4, seeds=2),),
        "lab",
        _first_run,
        measure_clusters,
        draw_ways,
        WAYS,
    ),
    "gap": Example(
        "The gap rises with the ratio",
        "Look at the generalization gap per class: digits at 100:1, with the run at 5:1 beside it.",
        "The fewer training rows a class has, the further its test rows lie outside what training showed the network.",
        tuple(
            RunSpec("digits", "ce", Imbalance("exponential", ratio), params=NETWORK, folds=4, seeds=3)
            for ratio in (100.0, 5.0, 20.0)
        ),
        "deep",
        lambda ids: {"run": ids[0], "beside": ids[2]},
        measure_gap_rise,
        draw_gap_by_ratio,
        "Mean over the classes, with its 95% interval.",
    ),
    "eos": Example(
        "EOS widens the box of a class",
        "Compare the gap after over-sampling with EOS and, beside it, with SMOTE: new rows of EOS lie towards other classes.",
        "EOS makes the range of a class reach further, so the gap shrinks; SMOTE's rows lie between rows of the class and cannot leave "
        "its box. A smaller gap alone finds no more rows.",
        (
            RunSpec("digits", "eos", DIGITS, params=NETWORK, folds=4, seeds=3),
            RunSpec("digits", "eos", DIGITS, params=NETWORK | {"sampler": "smote"}, folds=4, seeds=3),
        ),
        "deep",
        lambda ids: {"run": ids[0], "beside": ids[4]},
        measure_eos,
        draw_gap_by_class,
        "Solid: EOS. Dashed: SMOTE.",
    ),
    "dos": Example(
        "DOS pulls classes together",
        "Watch how it came about: after plain training every round draws the rows of a rare class towards their neighbours.",
        "The spread of the rare classes' features falls from round to round; whether rows are told apart better is another question.",
        (RunSpec("digits", "dos", DIGITS, params=NETWORK, folds=4, seeds=3),),
        "deep",
        _first_run,
        measure_dos,
        draw_spread,
        "Solid: rare classes. Dashed: the others.",
    ),
    "calibration": Example(
        "SMOTE breaks calibration",
        "Under Decide, see whether the probabilities are right: SMOTE's line lies below the diagonal, fewer rows are positive than it "
        "promises.",
        "It was trained on classes that it made equal, so it takes the rare one for common; plain training promises about what comes, "
        "on average. Prior corrected shows how much of that can be taken back.",
        CompareSpec({"dataset": "rings"}, ratio=10.0, methods=("ce", "smote"), budget=90.0),
        "data",
        lambda ids: {"compare": ids[0], "method": "smote"},
        measure_calibration,
        draw_reliability,
        "Solid: SMOTE. Dashed: plain training. Dotted: as it should be.",
    ),
    "sweep": Example(
        "What should I use, when?",
        "Follow the score against the ratio: four methods, plain training and the potential at three ratios.",
        "The mean of plain training falls as the ratio rises, and no method is above it here by more than chance.",
        SWEEP,
        "compare",
        lambda ids: SWEEP.to_query(),
        measure_sweep,
        draw_ratios,
        "Solid: explicit gradient. Dotted: SMOTE. Dashed: plain training. Dash and dot: the potential.",
    ),
}
"""name -> example, in the order of the gallery. A first visit shows `moons`."""
