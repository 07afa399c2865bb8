"""The rows of a comparison: models with remedies, ensembles, and the score in use. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.errors import BadParameter
from engine.spec.companions import BASELINE
from engine.spec.comparison import ENSEMBLES, MODELS, CompareSpec
from engine.spec.fields import catalog_field
from engine.text import quote

NETWORK, NONE, IN_USE = "network", "none", "in use"
IN_USE_TITLE = "Score in use"
MODEL_REMEDIES = ("class-weights", "threshold", "rus", "smote")
"""Remedies of models besides the network, in the order in which they run."""
REMEDY_TITLES = {"class-weights": "class weights", "threshold": "threshold tuning", "rus": "under-sampling", "smote": "SMOTE"}
INSTALLED = {"lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost", "tabpfn": "TabPFN"}
"""Models that take part where a person has installed them: name -> title."""
SHORT, LONG = 20.0, 300.0
"""Budgets in seconds: below SHORT few rows are compared by default, from LONG on more ensembles are."""
USUAL = 20
"""Methods whose place (`Method.comparison`) is below this are compared where nobody chooses."""
FIRST_ENSEMBLES = ("balanced-forest", "self-paced")
MORE_ENSEMBLES = ("balanced-forest", "easy-ensemble", "rus-boost", "balanced-bagging", "self-paced")
BY_CUT = ("balanced_accuracy", "g_mean", "f1", "mcc", "kappa")
"""Metrics of decisions. All others are of the ranking, which a tuned threshold leaves as it is."""
RENAMED = {"trees": "boosting"}
"""Names of rows in comparisons made before -> names now."""


@dataclass(frozen=True)
class ContestRow:
    """One row. method: the method that is trained, by name; params: what is changed of its defaults. model: the row's; an ensemble is
    its own. remedy: NONE for a plain row.
    """

    name: str
    title: str
    model: str
    remedy: str
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plain(self) -> str:
        """The name of the plain row of this row's model."""
        return BASELINE if self.model == NETWORK else self.model


def list_rows(
    spec: CompareSpec, catalog: Mapping[str, Any], *, installed: Mapping[str, str] | None = None, in_use: bool = False
) -> list[ContestRow]:
    """The rows of a comparison, in the order in which they run: plain ones first.

    installed: of INSTALLED, name -> version. in_use: whether the table has a score in use. Raises BadParameter for what is not known or
    not installed.
    """
    there = dict(installed or {})
    every = {row.name: row for row in _list_every(catalog, there)}
    wanted = [RENAMED.get(name, name) for name in spec.methods or ()] if spec.names_rows else _choose(spec, catalog, there)
    if unknown := [name for name in wanted if name not in every]:
        model = unknown[0].split("+")[0]
        if model == "tabpfn":
            raise BadParameter("TabPFN runs here only where it is installed and its weights are on this machine; leave it out.")
        if model in INSTALLED:
            raise BadParameter(f"{INSTALLED[model]} is not installed here; install it, or leave it out.")
        raise BadParameter(f"method {quote(unknown[0])} is not compared here; it must be one of {', '.join(every)}.")
    chosen = set(wanted)
    plain = {every[name].plain for name in wanted}
    rows = [row for row in every.values() if row.name in chosen | plain]
    ensembles = list_ensembles(catalog)
    rows.sort(key=lambda row: (row.remedy != NONE, row.model in ensembles))
    used = [ContestRow(IN_USE, IN_USE_TITLE, IN_USE, NONE, "")] if in_use else []
    return [*rows, *used]


def _choose(spec: CompareSpec, catalog: Mapping[str, Any], installed: Mapping[str, str]) -> list[str]:
    """Names of the rows that a spec asks for; what it leaves open is decided by the budget."""
    short = spec.budget < SHORT
    usual = [m for m in MODELS if m not in INSTALLED and not (short and m == "extra-trees")]
    models = spec.models if spec.models is not None else (*usual, *([] if short else installed))
    if spec.remedies is not None:
        own, other = spec.remedies, [r for r in spec.remedies if r in MODEL_REMEDIES]
        known = {*list_remedies(catalog), NONE}
        if unknown := [name for name in own if name not in known]:
            raise BadParameter(f"remedies: {quote(unknown[0])} is not known here; there are: {', '.join(sorted(known))}.")
    else:
        own = tuple(row.name for row in _list_networks(catalog, offered=True))
        other = [] if short else [r for r in MODEL_REMEDIES if r != "threshold" or spec.metric in BY_CUT]
    for field_name, known_names in (("models", (*MODELS, *list_models(catalog))), ("ensembles", list_ensembles(catalog))):
        if unknown := [name for name in getattr(spec, field_name) or () if name not in known_names]:
            there = ", ".join(dict.fromkeys(known_names))
            raise BadParameter(f"{field_name}: {quote(unknown[0])} is not known here; there are: {there}.")
    ensembles = spec.ensembles
    if ensembles is None:
        ensembles = () if short else MORE_ENSEMBLES if spec.budget >= LONG else FIRST_ENSEMBLES
    names = [*ensembles]
    for model in models:
        if model == NETWORK:
            names += [BASELINE, *(r for r in own if r not in (NONE, BASELINE))]
        else:
            names += [model, *(f"{model}+{r}" for r in other)]
    if spec.methods is not None:
        names += [RENAMED.get(name, name) for name in spec.methods]
    if not names:
        raise BadParameter("nothing is compared: name a model or an ensemble.")
    return names


def _list_every(catalog: Mapping[str, Any], installed: Mapping[str, str]) -> Iterable[ContestRow]:
    titles = {entry["name"]: entry["title"] for entry in catalog["methods"]}
    yield from _list_networks(catalog)
    for name in list_models(catalog, installed):
        if name == NETWORK:
            continue
        title = titles[name] if name in titles else f"{INSTALLED[name]} {installed[name]}"
        yield ContestRow(name, title, name, NONE, name)
        for remedy in MODEL_REMEDIES:
            yield ContestRow(f"{name}+{remedy}", f"{title} + {REMEDY_TITLES[remedy]}", name, remedy, name, {"remedy": remedy})
    for name in list_ensembles(catalog):
        yield ContestRow(name, titles[name], name, NONE, name)


def list_models(catalog: Mapping[str, Any], installed: Mapping[str, str] | None = None) -> list[str]:
    """Names of the models that remedies are joined with: the network, those of the catalog, those installed, and a person's own."""
    own = _list_own(catalog, "model")
    there = {entry["name"] for entry in catalog["methods"]} | {NETWORK, *(installed or ())}
    return [*(name for name in MODELS if name in there), *own]


def list_ensembles(catalog: Mapping[str, Any]) -> list[str]:
    """Names of the ensembles, which take no remedy: those of the catalog and a person's own."""
    there = {entry["name"] for entry in catalog["methods"]}
    return [*(name for name in ENSEMBLES if name in there), *_list_own(catalog, "ensemble")]


def _list_own(catalog: Mapping[str, Any], family: str) -> list[str]:
    """Methods for tables of a family that MODELS and ENSEMBLES do not have: those of plugin files."""
    return [
        entry["name"]
        for entry in catalog["methods"]
        if entry.get("family") == family and _takes_tables(entry) and entry["name"] not in (*MODELS, *ENSEMBLES)
    ]


def _takes_tables(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("ranked", True)) and "tabular" in entry.get("kinds", ("tabular",))


def _list_networks(catalog: Mapping[str, Any], *, offered: bool = False) -> Iterable[ContestRow]:
    """Rows of the network in their order: every method for tables, or with `offered` those that are compared where nobody chooses."""
    entries = [
        entry for entry in catalog["methods"] if _takes_tables(entry) and entry.get("family") not in ("model", "ensemble")
    ]
    places = {entry["name"]: catalog_field(entry, "comparison") for entry in entries}
    entries.sort(key=lambda entry: (entry["name"] != BASELINE, (place := places[entry["name"]]) is None, place or 0))
    for entry in entries:
        name = entry["name"]
        place = places[name]
        if name == BASELINE or not offered or (place is not None and place < USUAL):
            yield ContestRow(name, entry["title"], NETWORK, NONE if name == BASELINE else name, name)


def find_weights() -> Path | None:
    """TabPFN's weights for classes on this machine: in TABPFN_MODEL_CACHE_DIR, else in its cache folder. Nothing is fetched."""
    named = os.environ.get("TABPFN_MODEL_CACHE_DIR")
    folders = [Path(named)] if named else [Path.home() / ".cache" / "tabpfn", Path.home() / "Library" / "Caches" / "tabpfn"]
    found = sorted(path for folder in folders if folder.is_dir() for path in folder.glob("*classifier*.ckpt"))
    return found[-1] if found else None


def find_installed() -> dict[str, str]:
    """The models of INSTALLED that can run here: name -> version. Imports none of them. TabPFN needs its weights on this machine."""
    found = {}
    for name in INSTALLED:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if name != "tabpfn" or find_weights() is not None:
            found[name] = version
    return found


def list_contenders(catalog: Mapping[str, Any], installed: Mapping[str, str] | None = None) -> dict[str, str]:
    """name -> title of every row that can be compared."""
    return {row.name: row.title for row in _list_every(catalog, dict(installed or {}))}


def list_remedies(catalog: Mapping[str, Any]) -> list[str]:
    """Names of every remedy: those of the network, among which are those of the other models."""
    return [row.name for row in _list_networks(catalog) if row.remedy != NONE]


def list_usual_remedies(catalog: Mapping[str, Any]) -> list[str]:
    """Names of the network's remedies that are compared where nobody chooses."""
    return [row.name for row in _list_networks(catalog, offered=True) if row.remedy != NONE]


def read_model(row: Mapping[str, Any]) -> str:
    """The model of a row of a result; results made before name none."""
    name = str(row.get("name"))
    return str(row.get("model") or RENAMED.get(name, NETWORK))


def read_remedy(row: Mapping[str, Any]) -> str:
    """The remedy of a row of a result, NONE where it is plain."""
    name = str(row.get("name"))
    return str(row.get("remedy") or (NONE if name in (BASELINE, *RENAMED) else name))
