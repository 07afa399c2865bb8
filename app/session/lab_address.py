"""The Lab's address: `run`, `replicate`, `view`, `beside` and `tab` name what is shown, the other words are the form.

The words are written here rather than by Streamlit's own binding, so that a link is checked as a whole, everything wrong with
it is said in a sentence, and a link means the same after a default has changed: what a run's numbers depend on is always
written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import BadInput, BadParameter
from engine.spec import Imbalance, RunSpec, fields, limits
from engine.spec.fields import format_value
from engine.spec.points import decode_points
from engine.spec.run import PROFILES, explain_own_share, find_entry
from engine.text import quote

FIRST = {"dataset": "clusters", "method": "explicit-gradient", "ratio": 20.0}
"""What the form shows to a first visitor where no example says otherwise, as far as the catalog has it."""
DEVICES = ("auto", "cpu", "cuda")
_RUN = re.compile(r"[0-9a-f]{16}")
VIEWS = ("moving", "frozen", "both", "difference")
"""The run's film, the film beside it, both, and the difference of their surfaces."""
_SHOWN = ("run", "replicate", "view", "beside", "tab")
"""Words on what is shown; the page itself reads `tab`."""
_PLAIN = (*_SHOWN, "dataset", "method", "profile", "ratio", "rate", "where", "folds", "seeds", "seed", "device", "pts")


@dataclass(frozen=True)
class LabAddress:
    """What an address of the Lab asks for: a completed spec, a device, and the run and replicate to show.

    view: of VIEWS. beside: key of the companion whose film is the second one, '' for the usual one. problems: what was wrong.
    """

    spec: RunSpec
    device: str = "auto"
    run: str | None = None
    replicate: int = 0
    view: str = VIEWS[0]
    beside: str = ""
    problems: tuple[str, ...] = field(default=(), compare=False)


def _parse_number(name: str, text: str) -> float:
    """Return a number of the address. Raises BadParameter."""
    try:
        return float(text)
    except ValueError:
        raise BadParameter(f"{name}={quote(text)} is not a number.") from None


def is_run_id(text: str) -> bool:
    """Whether the text has the form of a run's id."""
    return _RUN.fullmatch(text) is not None


def first_spec(catalog: Mapping[str, Any], shown: RunSpec | None = None) -> RunSpec:
    """Return the completed spec of a form without a link: the example's, else FIRST as far as the catalog has it."""
    if shown is not None:
        try:
            return shown.complete(catalog)
        except BadInput:
            pass  # the example is of an older version: the form starts from the catalog
    methods, datasets = catalog["methods"], catalog["datasets"]
    method = next((m for m in methods if m["name"] == FIRST["method"]), methods[0])
    fitting = [d for d in datasets if d["kind"] in method["kinds"]] or datasets
    dataset = next((d for d in fitting if d["name"] == FIRST["dataset"]), fitting[0])
    highest, _ = limits.highest_ratio(limits.class_counts(dataset, {}), 1)
    imbalance = (
        Imbalance("ratio", min(FIRST["ratio"], highest))
        if dataset["kind"] == "points" and not dataset.get("parts")
        else Imbalance()
    )
    return RunSpec(dataset["name"], method["name"], imbalance).complete(catalog)


def read_address(query: Mapping[str, str], catalog: Mapping[str, Any], fallback: RunSpec) -> LabAddress:
    """Return what the words of an address ask for. What is not possible is replaced by `fallback`'s value and named in
    `problems`."""
    problems: list[str] = []

    def word(name: str, default: Any, kind: type, allowed: Any = None) -> Any:
        if name not in query:
            return default
        try:
            value = kind(query[name])
            if allowed is not None and value not in allowed:
                raise ValueError
            return value
        except (ValueError, OverflowError):
            problems.append(
                f"The link says {name}={quote(query[name])}, which is not possible; {quote(default)} is used instead."
            )
            return default

    for name in query:
        if name not in _PLAIN and name[:2] not in ("p.", "d."):
            problems.append(f"The link has the word {quote(name)}, which means nothing here; it is left out.")
    dataset = word("dataset", fallback.dataset, str, [d["name"] for d in catalog["datasets"]])
    method = word("method", fallback.method, str, [m["name"] for m in catalog["methods"]])
    kinds = find_entry(catalog, "methods", method)["kinds"]
    entry = find_entry(catalog, "datasets", dataset)
    if entry["kind"] not in kinds:
        fitting = [m["name"] for m in catalog["methods"] if entry["kind"] in m["kinds"]]
        problems.append(f"The link asks for {method}, which takes no {entry['kind']} data; {fitting[0]} is used instead.")
        method = fitting[0]
    # a link that names its dataset or method leaves defaults out; one that does not continues from the fallback
    data = _parse_parameters("d.", query, entry["fields"], {} if "dataset" in query else fallback.data, dataset, problems)
    described = find_entry(catalog, "methods", method)["fields"]
    params = _parse_parameters(
        "p.", query, described, fallback.params if method == fallback.method and "method" not in query else {}, method, problems
    )
    folds = word("folds", fallback.folds, int, range(1, 11))
    seeds = word("seeds", fallback.seeds, int, range(1, 101))
    seed = word("seed", fallback.seed, int, range(2**31))
    profile = word("profile", None, str, PROFILES)
    imbalance = fallback.imbalance if dataset == fallback.dataset else Imbalance()
    if profile is not None or "ratio" in query or "rate" in query:
        imbalance = _parse_imbalance(profile or ("remove" if "rate" in query else "ratio"), query, problems)
    if why := explain_own_share(entry, data):
        if imbalance.profile != "native" or folds != 1:
            problems.append(f"{why} It is used as it comes, with one fold.")
        imbalance, folds = Imbalance(), 1
    imbalance = _limit_ratio(imbalance, entry, data, folds, problems)
    run = query.get("run")
    if run is not None and not _RUN.fullmatch(run):
        problems.append(f"The link names a run {quote(run)}; a run's name is 16 of the letters 0-9 and a-f.")
        run = None
    points = _parse_points(query, entry, "" if "dataset" in query else fallback.points, problems)
    spec = RunSpec(dataset, method, imbalance, data, params, folds, seeds, seed, points).complete(catalog)
    device = word("device", "auto", str, DEVICES)
    replicate = word("replicate", 0, int, range(1000))
    view = word("view", VIEWS[0], str, VIEWS)
    return LabAddress(spec, device, run, replicate, view, query.get("beside", "")[:60], tuple(problems))


def _parse_points(query: Mapping[str, str], entry: Mapping[str, Any], usual: str, problems: list[str]) -> str:
    """Return the added points that the address gives; points that cannot be read or placed are none, and are added to
    `problems`."""
    if "pts" not in query:
        return usual
    try:
        if entry["kind"] != "points":
            raise BadParameter(f"{entry['name']}: points can be added to sets of points alone.")
        decode_points(query["pts"])
        return query["pts"]
    except BadInput as error:
        problems.append(f"The link's added points are left out: {error}")
        return ""


def _parse_imbalance(profile: str, query: Mapping[str, str], problems: list[str]) -> Imbalance:
    """Return the imbalance that the address gives; one that is not possible is none, and is added to `problems`."""
    try:
        ratio, rate = (_parse_number(name, query[name]) if name in query else None for name in ("ratio", "rate"))
        return Imbalance(profile, ratio, rate, query.get("where"))
    except BadInput as error:
        problems.append(f"The link's imbalance is not possible: {error} The data are used as they come.")
        return Imbalance()


def _limit_ratio(
    imbalance: Imbalance, entry: Mapping[str, Any], data: Mapping[str, Any], folds: int, problems: list[str]
) -> Imbalance:
    """Return the imbalance with a ratio that the data can give; a higher one is added to `problems`."""
    if imbalance.ratio is None:
        return imbalance
    highest, why = limits.highest_ratio(limits.class_counts(entry, data), folds, str(imbalance.where), imbalance.profile)
    if imbalance.ratio <= highest:
        return imbalance
    problems.append(f"{imbalance.ratio:g}:1 is more than {entry['name']} can give. {why}")
    return Imbalance(imbalance.profile, highest, None, imbalance.where)


def write_address(link: LabAddress, catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return the words of an address that `read_address` turns back into it.
    Parameters are written where they are not the default."""
    spec, imbalance = link.spec, link.spec.imbalance
    query = {"run": link.run} if link.run else {}
    query |= {"dataset": spec.dataset, "method": spec.method, "profile": imbalance.profile}
    query |= {"ratio": format_value(imbalance.ratio)} if imbalance.ratio is not None else {}
    query |= {"rate": format_value(imbalance.rate)} if imbalance.rate is not None else {}
    query |= {"where": str(imbalance.where)} if imbalance.profile != "native" else {}
    query |= {"folds": str(spec.folds), "seeds": str(spec.seeds), "seed": str(spec.seed)}
    plain = spec.with_(data={}, params={}, points="").complete(catalog)
    for prefix, values, usual in (("d.", spec.data, plain.data), ("p.", spec.params, plain.params)):
        query |= {prefix + name: format_value(value) for name, value in values.items() if value != usual[name]}
    query |= {"device": link.device} if link.device != "auto" else {}
    query |= {"pts": spec.points} if spec.points else {}
    query |= {"replicate": str(link.replicate)} if link.replicate else {}
    query |= {"view": link.view} if link.view != VIEWS[0] else {}
    query |= {"beside": link.beside} if link.beside else {}
    return query


def _parse_parameters(
    prefix: str,
    query: Mapping[str, str],
    described: list[dict[str, Any]],
    start: Mapping[str, Any],
    who: str,
    problems: list[str],
) -> dict[str, Any]:
    """Return the parameters that the address gives, above those of `start`.
    What is not possible stays and is added to `problems`."""
    known = {d["name"]: d for d in described}
    out = dict(start)
    for name, text in query.items():
        if not name.startswith(prefix):
            continue
        try:
            if name[2:] not in known:
                raise BadInput(f"{who} has no parameter {name[2:]!r}; it is left out.")
            out[name[2:]] = fields.parse(known[name[2:]], text, who)
        except BadInput as error:
            problems.append(str(error))
    return out
