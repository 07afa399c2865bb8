"""Lists the runs to compare a method with: its controls, plain cross-entropy, plain cross-entropy on training and validation rows, and
the potential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.spec import limits
from engine.spec.fields import catalog_field
from engine.spec.run import RunSpec, canonical_json, find_entry

BASELINE, ORACLE = "ce", "potential"
BOTH, BOTH_LABEL = "both", "Plain on both parts"
"""Plain training on training rows and a part of the validation rows, where validation shows what training lacks."""
GIVEN = 0.5
"""Share of the validation rows that `BOTH` trains on; the others choose its epoch."""


@dataclass(frozen=True)
class Companion:
    """One run of a comparison. key names its pen in the charts; role: method, control, baseline or oracle; spec is completed."""

    key: str
    label: str
    role: str
    spec: RunSpec

    @property
    def ranked(self) -> bool:
        """False for the potential, which trains on withheld rows."""
        return self.role != "oracle"


def list_companions(spec: RunSpec, catalog: Mapping[str, Any]) -> tuple[list[Companion], str]:
    """The chosen run first, then its controls, cross-entropy, cross-entropy on both parts and the potential, all on the same data and
    protocol. Only data with the option `given` have both parts: the same draw, and so the same test rows.

    The second value says in one sentence why there is no potential, and is '' where there is one. Raises UnknownName or
    BadParameter, as `RunSpec.complete` does.
    """
    spec = spec.complete(catalog)
    method = find_entry(catalog, "methods", spec.method)
    control = next((name for name, change in method["controls"].items() if _has_values(spec, change)), None)
    named, titles = name_run(spec, catalog), catalog_field(method, "control_titles")
    label = f"{named}, {_lower(titles.get(control, control))}" if control and named == method["title"] else named
    role = {BASELINE: "baseline"}.get(spec.method, "method") if method["ranked"] else "oracle"
    members = [Companion(control or spec.method, label, role, spec)]
    for name, change in method["controls"].items():
        members.append(
            Companion(name, titles.get(name, name), "control", spec.with_(params=dict(spec.params) | change).complete(catalog))
        )
    others = {entry["name"]: entry for entry in catalog["methods"]}
    dataset = find_entry(catalog, "datasets", spec.dataset)
    why = explain_no_potential(spec, dataset)
    plain: RunSpec | None = None
    for name, role in ((BASELINE, "baseline"), (ORACLE, "oracle")):
        if name in others and (name != ORACLE or not why):
            # a method without a choice of network trains the MLP on images too, so its companions must do the same
            params: dict[str, Any] = {"model": "mlp"} if dataset["kind"] == "images" and "model" not in spec.params else {}
            params |= {f["name"]: spec.params[f["name"]] for f in others[name]["fields"] if f["name"] in spec.params}
            complete = spec.with_(method=name, params=params).complete(catalog)
            plain = complete if name == BASELINE else plain
            members.append(Companion(name, others[name]["title"], role, complete))
    if plain is not None and plain.data.get("given", GIVEN) < GIVEN:
        members.append(Companion(BOTH, BOTH_LABEL, "control", plain.with_(data=dict(plain.data) | {"given": GIVEN})))
    seen: set[str] = set()
    unique = []
    for member in members:  # cross-entropy is its own baseline, and a control its own control
        if (id := member.spec.run_id("")) not in seen:
            seen.add(id)
            unique.append(member)
    return unique, why if spec.method != ORACLE else ""


def name_first_phase(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """Text that is equal for completed runs that begin with the same plain training; '' for a run that shares none.

    It tells which runs go to one worker. What they share is decided by `engine.training.network_cache`.
    """
    if spec.method != BASELINE and not find_entry(catalog, "methods", spec.method)["reuses_plain"]:
        return ""
    usual = {field["name"]: field["default"] for field in find_entry(catalog, "methods", BASELINE)["fields"]}
    if find_entry(catalog, "datasets", spec.dataset)["kind"] == "images":
        usual["model"] = "mlp"  # of a method without a choice of network
    plain = {name: spec.params.get(name, value) for name, value in usual.items()}
    return canonical_json(spec.with_(method=BASELINE, params=plain).to_json())


def name_run(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """The title of a completed run: its method's, or the own one of its parameters, such as 'Three-phase with SMOTE'.

    Raises UnknownName.
    """
    method = find_entry(catalog, "methods", spec.method)
    own = (title for values, title in catalog_field(method, "named") if _has_values(spec, values))
    return str(next(own, method["title"]))


def explain_no_potential(spec: RunSpec, dataset: Mapping[str, Any]) -> str:
    """One sentence where no minority row is withheld, else ''."""
    if spec.imbalance.profile == "native":
        if dataset.get("parts"):
            return "No rows are removed from this set. There is no run with all rows to compare with."
        return "No rows are removed. There is no run with all rows to compare with."
    if spec.imbalance.profile == "remove":
        return ""
    counts = limits.class_counts(dataset, spec.data)
    kept = limits.target_counts(counts, spec.imbalance)
    if any(kept[c] < counts[c] for c in limits.minority_classes(kept)):
        return ""
    return (
        f"The ratio of the data is {spec.imbalance.ratio:g}:1 or higher already, so no rows are removed. "
        "There is no run with all rows to compare with."
    )


def _lower(title: str) -> str:
    return title[0].lower() + title[1:]


def _has_values(spec: RunSpec, change: Mapping[str, Any]) -> bool:
    return bool(change) and all(spec.params.get(name) == value for name, value in change.items())
