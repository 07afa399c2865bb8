"""The first paper's Adult experiment (Yasinnik et al., section 5) as runs: table 1 and figures 3 to 5.

The majority is cut to the minority's 11,208 rows, then minority rows are dropped until the ratio is 50, 100 or 200. Each arm's 4 folds x 5
seeds are one run. Two controls stand beside the paper's methods: *frozen*, whose copies do not move, and *CE, equal steps*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import UnknownName
from engine.papers.protocol import REDUCED, Arm, Claim, Reading, Row, Table, explain_left_out, list_unmeasured
from engine.papers.published import read_cells
from engine.spec import Imbalance

PAPER = "adult"
METHOD = "explicit-gradient"
"""The paper's own method: what its presets leave open stands beside the tables."""
SHOWN = "Adult"
RATIOS = ("50:1", "100:1", "200:1")
METRICS = ("average_precision", "precision_at_recall_0.75", "precision_at_recall_0.5", "precision_at_recall_0.25")
OWN, ORACLE = "ExplicitGradient", "Potential"
FROZEN, EQUAL = "frozen", "CE, equal steps"
FIGURE_3 = ("RS", "SMOTE", OWN, ORACLE)
"""Series of figure 3; its legend calls RS Upsampling."""

FIGURE_RATIO = "50:1"
"""The ratio of figures 4 and 5."""


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. params: of every run; meta: of the explicit gradient and its controls; data: of Adult."""

    reduced: bool
    description: str
    seeds: int
    folds: int
    ratios: tuple[str, ...]
    params: Mapping[str, Any]
    meta: Mapping[str, Any]
    data: Mapping[str, Any]


_NETWORK = {"hidden": [128, 16], "learning_rate": 1e-3, "batch": 128}
_DATA = {"balance": True, "pca": 64}

FULL = Settings(
    reduced=False,
    description=(
        "Full protocol: Adult cut to 11,208 rows of each class, then minority rows dropped to 50:1, 100:1 and 200:1; standardised and "
        "one-hot, 64 principal components, all fitted on the training part; a fifth is validation, which chooses the epoch, the rest "
        "four folds; five seeds. MLP 128-16 by Adam 0.001, batches of 128, 200 epochs; explicit gradient goes on from the network of CE "
        "with a copy of every minority row, steps 0.01 and 10, for 200 epochs. The paper does not say whether it balanced Adult first "
        "for this table (its released arrays are not), nor how many meta-epochs it takes."
    ),
    seeds=5,
    folds=4,
    ratios=RATIOS,
    params={**_NETWORK, "epochs": 200},
    meta={"eta_model": 1e-2, "eta_points": 10.0, "meta_epochs": 200, "patience": 200},
    data=_DATA,
)

SMALL = Settings(
    reduced=True,
    description=(
        "Reduced protocol: the rows, folds, seeds and network of the full one, batches of 512, 20 epochs of training and at most 20 of "
        "explicit gradient. It tests the paper's claims after less training; its numbers are not the paper's."
    ),
    seeds=5,
    folds=4,
    ratios=RATIOS,
    params={**_NETWORK, "batch": 512, "epochs": 20},
    meta={"eta_model": 1e-2, "eta_points": 10.0, "meta_epochs": 20, "patience": 20},
    data=_DATA,
)


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """One table as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"adult has no table {name!r}; it has: {', '.join(_TABLES)}.")
    printed = {(c.labels["ratio"], c.labels["method"], c.metric): c for c in read_cells(PAPER, name)}
    rows: list[Row] = []
    claims: list[Claim] = []
    for ratio in settings.ratios:
        runs = build_arms(ratio, settings)
        why = REDUCED if settings.reduced else ""
        for method, arm in runs.items():
            labels = {"method": method, "ratio": ratio}
            rows += [Row(printed.get((ratio, method, m)), SHOWN, labels, m, Reading(arm, m), incomparable=why) for m in METRICS]
        claims += _claims(ratio, runs)
    shown = {id(row.cell) for row in rows}
    rows += list_unmeasured([c for c in printed.values() if id(c) not in shown], explain_left_out(settings.reduced))
    return Table(
        PAPER,
        name,
        _TABLES[name],
        settings.reduced,
        settings.description,
        settings.seeds,
        tuple(rows),
        tuple(claims),
        settings.folds,
    )


def _claims(ratio: str, runs: Mapping[str, Arm]) -> list[Claim]:
    """What the paper says of one ratio, the controls' part of it, and that its oracle is one."""
    where = f"{SHOWN} {ratio}"

    def above(left: str, right: str, metric: str = METRICS[0], title: str = "average precision") -> Claim:
        return Claim(f"{left} above {right}, {title}", where, Reading(runs[left], metric), Reading(runs[right], metric))

    out = [above(OWN, other) for other in runs if other not in (OWN, ORACLE)]
    out += [above(OWN, other, metric, metric.replace("_", " ")) for metric in METRICS[1:] for other in ("CE", "RS")]
    return [*out, above(ORACLE, OWN)]


def build_arms(ratio: str, settings: Settings) -> dict[str, Arm]:
    """Method as shown -> its runs at a ratio. Those that go on from the network of CE stand next to it, so that it is trained once."""
    imbalance = Imbalance("ratio", float(ratio.partition(":")[0]))

    def arm(method: str, **params: Any) -> Arm:
        return Arm("adult", method, imbalance, {**settings.params, **params}, settings.data, stacked=True)

    return {
        "CE": arm("ce"),
        OWN: arm("explicit-gradient", **settings.meta),
        FROZEN: arm("explicit-gradient", **{**settings.meta, "eta_points": 0.0}),
        EQUAL: arm("explicit-gradient", **settings.meta, copies=0),
        "RS": arm("rs"),
        "SMOTE": arm("smote"),
        "Focal": arm("focal"),
        ORACLE: arm("potential", give_back="all"),
    }


def figures(table: Table, lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Figures 3, 4 and 5 as lines, means over replicates. lines: arm's key -> `engine.papers.result_cache.summarise_result(...)["lines"]`.

    "3": ratio -> method -> {recall, precision}, precision-recall curves on the test rows. "4": method -> phase -> average precision
    on validation, epoch by epoch, at 50:1. "5": of explicit gradient at 50:1, epoch by epoch: adapted_loss (of the stepped classifier on
    validation rows), synthetic_loss, train_loss, valid_loss. Methods that were not run are left out.
    """
    runs_by_name = {
        (row.labels["ratio"], row.labels["method"]): lines[row.reading.arm.key]
        for row in table.rows
        if row.reading and row.reading.arm.key in lines
    }
    third: dict[str, Any] = {}
    fourth: dict[str, Any] = {}
    for (ratio, method), one in runs_by_name.items():
        if method in FIGURE_3:
            third.setdefault(ratio, {})[method] = {name: one[name] for name in ("recall", "precision")}
        if ratio == FIGURE_RATIO:
            fourth[method] = {
                name.partition("/")[0]: values for name, values in one["history"].items() if name.endswith("/valid_ap")
            }
    history = runs_by_name.get((FIGURE_RATIO, OWN), {}).get("history", {})
    wanted = ("adapted_loss", "synthetic_loss", "train_loss", "valid_loss")
    fifth = {name: history[f"points/{name}"] for name in wanted if f"points/{name}" in history}
    return {name: figure for name, figure in (("3", third), ("4", fourth), ("5", fifth)) if figure}


_TABLES = {"1": "Adult with 50, 100 and 200 majority rows for each minority row"}
