"""Beyond the papers: does a remedy or another model move more? A study of ours on 14 KEEL sets of other families than the papers' 22.

Every model with every remedy that it can be joined with. Each seed is a run of its own, its four folds trained together, so that more
seeds can be added later. The measure is average precision, which a moved cut does not change: so that remedy is left out.
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

PAPER = "beyond"
METHOD = ""
"""No paper's own method: nothing is left open here."""
METRIC = "average_precision"
NETWORK, NONE = "Network", "none"
MODELS = {
    "Logistic regression": "logistic",
    "Random forest": "forest",
    "Extra trees": "extra-trees",
    "Gradient boosting": "boosting",
}
"""Model as shown -> its name in the catalog."""
REMEDIES = {NONE: "none", "class weights": "class-weights", "under-sampling": "rus", "SMOTE": "smote"}
"""Remedy as shown -> its name for a model. SMOTE is SMOTE-NC where columns are categories."""
MIXED = ("car-good", "flare-F", "kddcup-guess_passwd_vs_satan", "kr-vs-k-zero_vs_eight")
"""Sets with columns that are categories."""
SETS = (
    *("car-good", "dermatology-6", "flare-F", "haberman", "iris0", "kddcup-guess_passwd_vs_satan", "kr-vs-k-zero_vs_eight"),
    *("led7digit-0-2-4-5-6-7-8-9_vs_1", "new-thyroid1", "pima", "poker-8-9_vs_6", "vehicle2", "winequality-red-4", "wisconsin"),
)
"""`engine.data.sources.keel.MORE`."""


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. network: parameters of every network; meta: of explicit gradient besides; models: of all models
    that have them.
    """

    reduced: bool
    description: str
    seeds: int
    folds: int
    datasets: tuple[str, ...]
    network: Mapping[str, Any]
    meta: Mapping[str, Any]
    models: Mapping[str, Mapping[str, Any]]


_SAME = (
    "14 KEEL sets as they come, repeated rows among them: of each family that none of the papers' 22 is of, the set with most rows of the "
    "rarer class, at least 20, among those of at most 2,000 rows. A fifth is validation, which chooses the network's epoch; the rest are "
    "four folds, each in turn the test part. Each seed is a run. The network is an MLP 64-64 by Adam 0.001 with batches of 128; models "
    "have their own defaults. SMOTE balances the classes; it is SMOTE-NC where columns are categories."
)
FULL = Settings(
    False, f"Full protocol: {_SAME} 200 epochs, explicit gradient at most 200 more.", 5, 4, SETS, keel.FULL.params, keel.FULL.meta, {}
)  # fmt: skip
SMALL = Settings(
    True, f"Reduced protocol: {_SAME} 40 epochs, explicit gradient at most 40 more; forests have 25 trees, boosting at most 50.", 5, 4,
    SETS, keel.SMALL.params, keel.SMALL.meta,
    {"forest": {"trees": 25}, "extra-trees": {"trees": 25}, "boosting": {"trees": 50}},
)  # fmt: skip


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """The study as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"{PAPER} has no table {name!r}; it has: {', '.join(_TABLES)}.")
    rows: list[Row] = []
    claims: list[Claim] = []
    for dataset in settings.datasets:
        readings = {at: Reading(arm, METRIC) for at, arm in build_arms(dataset, settings).items()}
        rows += [
            Row(
                None,
                dataset,
                {"method": model, "remedy": remedy},
                METRIC,
                reading,
                incomparable=REDUCED if settings.reduced else "",
            )
            for (model, remedy), reading in readings.items()
        ]
        plain = readings[NETWORK, NONE]
        for (model, remedy), reading in readings.items():
            if remedy != NONE:
                claims.append(
                    Claim(f"{model} with {remedy} above without, average precision", dataset, reading, readings[model, NONE])
                )
            elif model != NETWORK:
                claims.append(Claim(f"{model} above {NETWORK.lower()}, average precision", dataset, reading, plain))
    return Table(
        PAPER, name, _TABLES[name], settings.reduced, settings.description, settings.seeds, tuple(rows), tuple(claims),
        settings.folds,
    )  # fmt: skip


def build_arms(dataset: str, settings: Settings) -> dict[tuple[str, str], Arm]:
    """(model, remedy) as shown -> its runs on a set. What goes on from the plain network stands next to it."""

    def network(method: str, **params: Any) -> Arm:
        return Arm(dataset, method, Imbalance(), {**settings.network, **params})

    smote = network("smotenc") if dataset in MIXED else network("smote", amount="balance")
    out = {
        (NETWORK, NONE): network("ce"),
        (NETWORK, "explicit gradient"): network("explicit-gradient", **settings.meta),
        (NETWORK, "class weights"): network("class-weights"),
        (NETWORK, "balanced batches"): network("rs"),
        (NETWORK, "focal loss"): network("focal"),
        (NETWORK, "under-sampling"): network("rus"),
        (NETWORK, "SMOTE"): smote,
    }
    for model, name in MODELS.items():
        for shown, remedy in REMEDIES.items():
            out[model, shown] = Arm(dataset, name, Imbalance(), {"remedy": remedy, **settings.models.get(name, {})})
    return out


def compare_methods(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tests over the sets, each with Holm's correction over its pairs: all models with all remedies against the plain network, the models
    without remedy, and each model's remedies against none.

    rows: of this table, as `engine.papers.verdicts.judge` gives them. What lacks a score on a set that the plain network has one on is left
    out, and named under `left_out`. See `engine.papers.keel.compare_methods`.
    """
    found = {(row["dataset"], _name(row)): row["ours"]["mean"] for row in rows if row["ours"]}
    names = list(dict.fromkeys(_name(row) for row in rows))
    sets = [dataset for dataset in dict.fromkeys(row["dataset"] for row in rows) if (dataset, NETWORK) in found]

    def part(wanted: Sequence[str], first: str) -> dict[str, Any] | None:
        there = [name for name in wanted if sets and all((dataset, name) in found for dataset in sets)]
        if first not in there or len(there) < 2:
            return None
        tested = compare_over_sets({name: [found[dataset, name] for dataset in sets] for name in there}, first, keel.MARGIN)
        return tested | {"left_out": [name for name in wanted if name not in there]}

    parts = {"all": part(names, NETWORK), "models": part((NETWORK, *MODELS), NETWORK)}
    for model in (NETWORK, *MODELS):
        parts[model.lower()] = part([name for name in names if name.split(" + ")[0] == model], model)
    return {name: tested for name, tested in parts.items() if tested}


def _name(row: Mapping[str, Any]) -> str:
    """'Extra trees + SMOTE', without a remedy 'Extra trees'."""
    model, remedy = row["labels"]["method"], row["labels"]["remedy"]
    return model if remedy == NONE else f"{model} + {remedy}"


_TABLES = {"keel": "Models and remedies on 14 KEEL sets of other families than the papers' 22"}
