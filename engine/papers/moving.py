"""Does moving help? A study of ours on the first paper's question, on its 22 KEEL sets.

Everything that decides how far the copies move is varied one at a time: the step (per batch and per row, over four decades), which
minority rows are copied, how many times, whether real rows come in balanced batches, and the rows that judge the move. Each replicate
takes the variant that did best on its own validation rows and is judged on its test rows, against *frozen* chosen in the same way, and
against what needs no moving.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UnknownName
from engine.papers import keel
from engine.papers.protocol import REDUCED, Arm, Claim, Reading, Row, Table
from engine.spec import Imbalance
from engine.stats.significance import compare_over_sets

PAPER = "moving"
METHOD = "explicit-gradient"
"""The paper's own method: what its presets leave open stands beside the tables."""
METRIC = "average_precision"
MOVING, FROZEN = "moving, chosen", "frozen, chosen"
EQUAL = "CE, equal steps"

STEPS = (10.0, 1.0, 100.0, 1000.0, 10_000.0)
"""Of the points; the paper's first, so that it wins where validation cannot tell."""
STEPS_PER_ROW = (0.1, 1.0, 10.0, 100.0, 1000.0)
BASE = 1000.0
"""The step at which everything else is varied: the released value, where moving starts to show."""
COPIES = (3, 10)
CONFIDENCE = 0.5
BALANCED = "balanced inner batches"


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. keel: sets, network, training and replicates, as in that experiment."""

    reduced: bool
    description: str
    keel: keel.Settings


_SAME = (
    "22 KEEL sets, network, training, folds and seeds as in table keel. Copies move by steps of 1 to 10,000 (per batch) or 0.1 to 1,000 "
    "(per row); with 1,000 also copies of rows below a confidence of 0.5 alone, 3 or 10 copies of each, real rows in balanced batches, or "
    "a third of the training rows held out to judge the moves. Each replicate takes the variant that did best on its validation rows; "
    "frozen is chosen alike among its numbers of copies, the confidence bound and the balanced batches."
)

FULL = Settings(False, f"Full protocol: {_SAME}", keel.FULL)
SMALL = Settings(
    True, f"Reduced protocol: {_SAME} Training as in the reduced table keel; its numbers are not the paper's.", keel.SMALL
)


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """The study as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"moving has no table {name!r}; it has: {', '.join(_TABLES)}.")
    rows: list[Row] = []
    claims: list[Claim] = []
    for dataset in settings.keel.datasets:
        readings = _readings(dataset, settings.keel)
        why = REDUCED if settings.reduced else ""
        rows += [
            Row(None, dataset, {"method": method}, METRIC, reading, incomparable=why) for method, reading in readings.items()
        ]
        claims += [
            Claim(f"{MOVING}, above {other}, average precision", dataset, readings[MOVING], readings[other])
            for other in (FROZEN, EQUAL, "CE", "RS", "SMOTE")
        ]
    k = settings.keel
    return Table(
        PAPER, name, _TABLES[name], settings.reduced, settings.description, k.seeds, tuple(rows), tuple(claims), k.folds
    )


def build_variants(dataset: str, settings: keel.Settings) -> tuple[dict[str, Arm], dict[str, Arm]]:
    """(moving, frozen): what each variant is called -> its runs."""

    def arm(**params: Any) -> Arm:
        return Arm(dataset, "explicit-gradient", Imbalance(), {**settings.params, **settings.meta, **params}, stacked=True)

    moving = {f"step {step:g}": arm(eta_points=step) for step in STEPS}
    moving |= {f"step {step:g} per row": arm(eta_points=step, per_row=True) for step in STEPS_PER_ROW}
    with_base: dict[str, dict[str, Any]] = {f"confidence {CONFIDENCE}": {"confidence": CONFIDENCE}}
    with_base |= {f"{n} copies": {"copies": n} for n in COPIES}
    with_base[BALANCED] = {"inner": "balanced"}
    moving |= {name: arm(eta_points=BASE, **params) for name, params in with_base.items()}
    moving["held-out rows judge"] = arm(eta_points=BASE, outer="holdout")
    frozen = {"frozen": arm(eta_points=0.0)}
    frozen |= {f"frozen, {name}": arm(eta_points=0.0, **params) for name, params in with_base.items()}
    return moving, frozen


def _readings(dataset: str, settings: keel.Settings) -> dict[str, Reading]:
    """Method as shown -> what is read. CE stands first: most others go on from its network."""
    plain = keel.build_arms(dataset, settings)
    moving, frozen = build_variants(dataset, settings)

    def chosen(arms: Sequence[Arm]) -> Reading:
        return Reading(arms[0], METRIC, tuple(arms[1:]))

    out = {"CE": Reading(plain["CE"], METRIC)}
    out |= {MOVING: chosen(list(moving.values())), FROZEN: chosen(list(frozen.values()))}
    out |= {EQUAL: Reading(plain[keel.EQUAL], METRIC)}
    out |= {name: Reading(arm, METRIC) for name, arm in {**moving, **frozen}.items()}
    return out | {name: Reading(plain[name], METRIC) for name in ("RS", "SMOTE")}


def compare_methods(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tests over the sets: of the chosen, the controls and the baselines, and of each step against frozen. See keel.compare_methods."""
    found = {(row["dataset"], row["labels"]["method"]): row["ours"]["mean"] for row in rows if row["ours"]}
    sets = list(dict.fromkeys(row["dataset"] for row in rows))
    there = {method for _, method in found}

    def part(methods: Sequence[str], first: str) -> dict[str, Any] | None:
        kept = [m for m in methods if m in there]
        if first not in kept or len(kept) < 2:
            return None
        return compare_over_sets({m: [found.get((d, m)) for d in sets] for m in kept}, first, keel.MARGIN)

    steps = [f"step {step:g}" for step in STEPS] + [f"step {step:g} per row" for step in STEPS_PER_ROW]
    parts = {
        "chosen on validation": part((MOVING, FROZEN, EQUAL, "CE", "RS", "SMOTE"), MOVING),
        "frozen against each step": part(("frozen", *steps), "frozen"),
    }
    return {name: tested for name, tested in parts.items() if tested}


_TABLES = {"steps": "Does moving help? Explicit gradient against frozen copies on 22 KEEL sets"}
