"""The form: dataset, imbalance, method and its own fields, protocol. Made from the catalog; what it says is a RunSpec.

Widgets keep their values under these keys, so that a link (or a run that is reopened) can fill the form before it is drawn:
`dataset`, `method`, `cut`, `profile`, `where.PROFILE`, `ratio`, `rate`, `protocol`, `folds`, `seeds`, `seed`, `device`,
`d.DATASET.FIELD`, `p.METHOD.KIND OF DATA.FIELD` (a method may have other defaults on another kind).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.words.text import many, plain, ratio
from engine.errors import BadInput
from engine.spec import Imbalance, RunSpec, fields, limits
from engine.spec.run import MAX_RATIO, PROFILES, default_params, find_entry

AS_IT_COMES, CUT = "As the data come", "Make it skewed"
QUICK, CAREFUL, CUSTOM = "Quick look", "Careful", "Custom"
PROTOCOLS = {QUICK: (1, 1), CAREFUL: (4, 5)}
GIVEN_TEST = {QUICK: (1, 1), CAREFUL: (1, 5)}
"""Of data whose test rows are given: there is nothing to fold."""
DEFAULTS = "defaults"
PROFILE_NAMES = {
    "ratio": "all smaller classes cut alike",
    "exponential": "sizes fall exponentially",
    "step": "half the classes cut alike",
    "gaussian": "sizes fall as a Gaussian",
    "remove": "a share of the rows removed",
}
WHERE_NAMES = {"all": "everywhere (train, validation, test)", "train": "training rows only"}
STEPS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)
"""Ratios the slider stops at, about equally far apart on a logarithmic scale."""


def fill(spec: RunSpec, device: str, catalog: Mapping[str, Any]) -> None:
    """Make the form show a completed spec. To be called before the form is drawn."""
    made, state = spec.imbalance, st.session_state
    state["dataset"], state["method"], state["device"] = spec.dataset, spec.method, device
    state["cut"] = AS_IT_COMES if made.profile == "native" else CUT
    state["profile"] = "ratio" if made.profile == "native" else made.profile
    if made.ratio is not None:
        state["ratio"] = made.ratio
    if made.rate is not None:
        state["rate"] = made.rate
    state[f"where.{state['profile']}"] = made.where if made.profile != "native" else "all"
    entry, method = find_entry(catalog, "datasets", spec.dataset), find_entry(catalog, "methods", spec.method)
    named = next((name for name, shape in protocols(entry).items() if shape == (spec.folds, spec.seeds)), CUSTOM)
    state["protocol"], state["folds"], state["seeds"], state["seed"] = named, spec.folds, spec.seeds, spec.seed
    for prefix, found, values in (
        (f"d.{spec.dataset}", entry, spec.data),
        (f"p.{spec.method}.{entry['kind']}", method, spec.params),
    ):
        for described in found["fields"]:
            state[f"{prefix}.{described['name']}"] = _shown(described, values[described["name"]])


def form(catalog: Mapping[str, Any]) -> tuple[RunSpec | None, str]:
    """Draw the form; returns the completed spec (None where it cannot be run; the form says why) and the device."""
    entry, data, wrong = _dataset(catalog)
    method = _method(catalog, entry)
    folds = _folds(entry)
    made, trouble = _imbalance(entry, data, folds)
    params, more = _method_fields(method, entry["kind"])
    folds, seeds, seed, device = _protocol(catalog, entry)
    problems = wrong + ([trouble] if trouble else []) + more
    for problem in problems:
        st.error(plain(problem, 400))
    if problems:
        return None, device
    try:
        return RunSpec(entry["name"], method["name"], made, data, params, folds, seeds, seed).complete(catalog), device
    except BadInput as error:
        st.error(plain(error, 400))
        return None, device


def available(entry: Mapping[str, Any]) -> bool:
    """False where a live engine has said that the dataset is not on its machine."""
    return bool(entry.get("available", True))


def _dataset(catalog: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """The chosen entry, its options, and what is wrong with them."""
    sources = list(dict.fromkeys(d["source"] for d in catalog["datasets"]))
    by_name = {d["name"]: d for d in sorted(catalog["datasets"], key=lambda d: sources.index(d["source"]))}

    def label(name: str, here: bool | None = None) -> str:
        d = by_name[name]
        here = available(d) if here is None else here
        return f"{d['title'].removesuffix(' (' + d['source'] + ')')} · {d['source']}" + ("" if here else " · not here")

    if (chosen := st.session_state.get("dataset")) not in by_name:
        # the browser sends labels back, and an engine that has just come up may have changed the chosen one's
        before = {label(name, here): name for name in by_name for here in (True, False)}
        st.session_state["dataset"] = before.get(chosen or "", next(iter(by_name)))
    name = st.selectbox("Dataset", list(by_name), format_func=label, key="dataset", help="Type to search.")
    entry: dict[str, Any] = by_name[name]
    summary = st.container()
    with st.expander("About these data" if not entry["fields"] else "About these data, and their options"):
        data, wrong = field_widgets(entry["fields"], f"d.{name}", name)
        facts = st.container()
    counts = limits.class_counts(entry, data)
    skew = ratio(max(counts) / max(1, min(counts)))
    with summary:
        st.caption(f"{many(sum(counts), 'row')} · {many(entry['features'], 'feature')} · {len(counts)} classes, {skew}")
        if not available(entry):
            st.warning(
                f"This dataset is not on the engine's machine. {plain(entry['how_to_get'], 400)}", icon=":material/download:"
            )
    with facts:
        if entry["summary"]:
            st.markdown(plain(entry["summary"], 600))
        classes = ", ".join(f"{plain(c, 30)} {n:,}" for c, n in zip(entry["classes"], counts, strict=True))
        lines = [f"Kind: {plain(entry['kind'])}", f"Rows per class: {classes}", f"Largest to smallest class: {skew}"]
        lines.append(f"Licence: {plain(entry['licence'] or 'not stated', 200)}")
        lines += [f"Cite: {plain(entry['citation'], 400)}"] if entry["citation"] else []
        st.markdown("\n".join(f"- {line}" for line in lines))
        if str(entry["url"] or "").startswith("https://"):
            st.link_button("Where they come from", entry["url"], icon=":material/open_in_new:")
    return entry, data, wrong


def _method(catalog: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    methods = {m["name"]: m for m in catalog["methods"] if entry["kind"] in m["kinds"]}
    if st.session_state.get("method") not in methods:
        st.session_state["method"] = next(iter(methods))
    name = st.selectbox("Method", list(methods), format_func=lambda n: methods[n]["title"], key="method")
    method: dict[str, Any] = methods[name]
    st.caption(plain(method["summary"], 400), help=f"Source: {plain(method['source'], 400)}")
    return method


def _imbalance(entry: Mapping[str, Any], data: Mapping[str, Any], folds: int) -> tuple[Imbalance, str]:
    """The imbalance, and what is wrong with it ('': nothing)."""
    counts = limits.class_counts(entry, data)
    state = st.session_state
    state.setdefault("cut", AS_IT_COMES)
    st.segmented_control(
        "Class imbalance",
        [AS_IT_COMES, CUT],
        key="cut",
        required=True,
        width="stretch",
        help=f"As the data come, the largest class is {ratio(max(counts) / max(1, min(counts)))} to the smallest. "
        "Rows can be withheld to make it more skewed.",
    )
    if state["cut"] == AS_IT_COMES:
        return Imbalance(), ""
    state.setdefault("profile", "ratio")
    profile = state["profile"]
    slot = st.container()
    with st.expander("Which rows are withheld"):
        profile = st.selectbox(
            "How the classes are cut",
            [p for p in PROFILES if p != "native"],
            format_func=PROFILE_NAMES.__getitem__,
            key="profile",
            help="With two classes all but the last come to the same.",
        )
        default = Imbalance(profile, *((None, 0.5) if profile == "remove" else (2.0,))).where
        state.setdefault(f"where.{profile}", default)
        where = st.radio(
            "Where",
            list(WHERE_NAMES),
            format_func=WHERE_NAMES.__getitem__,
            key=f"where.{profile}",
            help="Everywhere: the test rows are as skewed as the training rows, as Yasinnik et al. do. Training rows only: the "
            "test rows keep their natural classes, as Dablain et al. and Ando and Huang do.",
        )
    with slot:
        if profile == "remove":
            state.setdefault("rate", 0.9)
            rate = st.slider(
                "Share of rows removed",
                0.05,
                0.95,
                key="rate",
                step=0.05,
                help="From 4 in 10 classes; from the smaller of two.",
            )
            return Imbalance("remove", None, float(rate), where), ""
        highest, why = limits.highest_ratio(counts, folds, where, profile)
        if highest <= 1:
            return Imbalance(), why
        value = ratio_slider(highest)
        made = Imbalance(profile, value, None, where)
        kept = limits.target_counts(counts, made)
        left = f"{kept[0]:,} and {kept[1]:,} rows are left. " if len(kept) == 2 and where == "all" else ""
        if value >= highest:
            st.caption(left + plain(why, 300))
        else:
            st.caption(f"{left}At most {ratio(highest)}.", help=plain(why, 300))
    return made, ""


def ratio_slider(highest: float) -> float:
    """The logarithmic slider, from 1:1 to the highest ratio the data can give."""
    asked = min(max(float(st.session_state.get("ratio", 20.0)), 1.0), highest, MAX_RATIO)
    stops = sorted({float(step) for step in STEPS if step <= highest} | {float(highest), asked})
    st.session_state["ratio"] = asked
    value: float = st.select_slider(
        "Largest to smallest class",
        stops,
        key="ratio",
        format_func=ratio,
        help="Rows of the largest class for one of the smallest.",
    )
    return value


def _presets(method: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Named sets of values, whole, the usual one on this kind of data first."""
    base = {d["name"]: d["default"] for d in method["fields"]}
    whole = {DEFAULTS: base} | {name: base | values for name, values in method["presets"].items()}
    usual = method["suited"].get(kind, DEFAULTS)
    return {usual: whole[usual]} | whole


def _method_fields(method: Mapping[str, Any], kind: str) -> tuple[dict[str, Any], list[str]]:
    """The method's own values and what is wrong with them."""
    who, presets, usual = method["name"], _presets(method, kind), default_params(method, kind)
    described = [d | {"default": usual[d["name"]]} for d in method["fields"]]
    if not described:
        return {}, []
    prefix = f"p.{who}.{kind}"

    def shown(name: str) -> dict[str, Any]:
        return {d["name"]: _shown(d, presets[name][d["name"]]) for d in described}

    def take() -> None:
        chosen = st.session_state[f"preset.{prefix}"]
        if chosen in presets:
            st.session_state.update({f"{prefix}.{name}": value for name, value in shown(chosen).items()})

    with st.expander("Settings of the method"):
        if len(presets) > 1:
            now = {d["name"]: st.session_state.get(f"{prefix}.{d['name']}", _shown(d, d["default"])) for d in described}
            same = next((name for name in presets if shown(name) == now), None)
            st.session_state[f"preset.{prefix}"] = same
            st.segmented_control(
                "Start from",
                list(presets),
                key=f"preset.{prefix}",
                on_change=take,
                help="The defaults are this tool's, `paper` the paper's values, `released` those of its published code, `visible` "
                "ones whose movement can be seen.",
            )
            for note in method["deviations"].get(same or "", []):
                st.caption(plain(note, 300))
        values, wrong = field_widgets([d for d in described if not d["advanced"]], prefix, who)
        if folded := [d for d in described if d["advanced"]]:
            if st.toggle("Finer points", key=f"finer.{prefix}"):
                more, also = field_widgets(folded, prefix, who)
            else:
                more, also = _kept(folded, prefix, who)
            values, wrong = values | more, wrong + also
    return values, wrong


def _kept(described: Sequence[Mapping[str, Any]], prefix: str, who: str) -> tuple[dict[str, Any], list[str]]:
    """The values of folded fields as a link or preset left them; Streamlit forgets those of widgets that are not drawn."""
    values, wrong = {}, []
    for d in described:
        key = f"{prefix}.{d['name']}"
        value = st.session_state.setdefault(key, _shown(d, d["default"]))
        st.session_state[key] = value
        try:
            values[d["name"]] = fields.parse(d, value, who) if d["kind"] == "ints" else fields.check_value(d, value, who)
        except BadInput as error:
            wrong.append(str(error))
    return values, wrong


def protocols(entry: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Folds and seeds by the name of how careful one is."""
    return GIVEN_TEST if entry.get("test_counts") else PROTOCOLS


def _folds(entry: Mapping[str, Any]) -> int:
    """Folds as the form last said; the ratio's limit above depends on them."""
    named = st.session_state.setdefault("protocol", QUICK)
    if named == CUSTOM:
        return 1 if entry.get("test_counts") else int(st.session_state.get("folds", 4))
    return protocols(entry)[named][0]


def _protocol(catalog: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[int, int, int, str]:
    given = bool(entry.get("test_counts"))
    split = (
        "one split of the training rows, a fifth of them for validation; test rows are the data's own. Careful: 5 seeds, 5 replicates; "
        "each seed draws anew which rows are withheld, the validation rows and the first weights."
        if given
        else "one split into 60% training, 20% validation, 20% test. Careful: 4 folds × 5 seeds, 20 replicates; "
        "each seed draws anew which rows are withheld, the split and the first weights."
    )
    named = st.segmented_control(
        "How careful",
        [QUICK, CAREFUL, CUSTOM],
        key="protocol",
        required=True,
        width="stretch",
        help=f"Quick look: {split}",
    )
    folds, seeds = protocols(entry).get(named, (0, 0))
    if named == CUSTOM:
        st.session_state.setdefault("folds", 4)
        st.session_state.setdefault("seeds", 5)
        left, right = st.columns(2)
        if given:
            folds = 1
            left.number_input("Folds", 1, 1, value=1, disabled=True, help="These data have test rows of their own: one split.")
        else:
            folds = left.number_input("Folds", 1, 10, key="folds", help="1: one 60/20/20 split.")
        seeds = right.number_input("Seeds", 1, 100, key="seeds")
    st.session_state.setdefault("seed", 0)
    devices = [d for d in catalog.get("devices", []) if d != "auto"]
    choose = len(devices) > 1
    left, right = st.columns(2) if choose else (st.container(), None)
    seed = left.number_input(
        "Seed", 0, 2**31 - 1, key="seed", help="All random draws come from it: the same seed gives the same numbers."
    )
    device = "auto"
    if choose and right is not None:
        options = ["auto", *devices]
        if st.session_state.get("device") not in options:
            st.session_state["device"] = "auto"
        device = right.selectbox("Device", options, format_func=_device_name, key="device")
    return int(folds), int(seeds), int(seed), device


def _device_name(device: str) -> str:
    return {"auto": "fastest there is", "cpu": "CPU", "cuda": "GPU"}.get(device, device)


def field_widgets(described: Sequence[Mapping[str, Any]], prefix: str, who: str) -> tuple[dict[str, Any], list[str]]:
    """One widget per described field (engine.spec.fields.describe); returns the values and what is wrong with them, in sentences."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for d in described:
        try:
            values[d["name"]] = fields.check_value(d, _widget(d, f"{prefix}.{d['name']}", who), who)
        except BadInput as error:
            wrong.append(str(error))
    return values, wrong


def _widget(d: Mapping[str, Any], key: str, who: str) -> Any:
    label = (d["label"][:1].upper() + d["label"][1:]) + (f" ({d['unit']})" if d["unit"] else "")
    help, kind, state = plain(d["help"], 600), d["kind"], st.session_state
    state.setdefault(key, _shown(d, d["default"]))
    if kind == "bool":
        return st.toggle(label, key=key, help=help)
    if kind == "choice":
        if state[key] not in d["choices"]:
            state[key] = d["default"]
        return st.selectbox(label, d["choices"], key=key, help=help)
    if kind == "ints":
        return fields.parse(d, st.text_input(label, key=key, help=help), who)
    if d["log"] and d["high"] is not None:
        stops = log_stops(d, state[key])
        return st.select_slider(label, stops, key=key, help=help, format_func=_figure)
    number = int if kind == "int" else float
    low, high = (None if d[end] is None else number(d[end]) for end in ("low", "high"))
    state[key] = number(state[key])
    if low is not None and high is not None and (kind == "float" or high - low <= 100):
        step = 1 if kind == "int" else (high - low) / 100
        return st.slider(label, low, high, key=key, step=step, help=help, format=None if kind == "int" else "%.3g")
    return st.number_input(label, low, high, key=key, help=help, step=1 if kind == "int" else None)


def log_stops(d: Mapping[str, Any], value: float) -> list[float]:
    """Stops of a logarithmic slider: 1, 2, 5 in every decade between the field's ends, with its ends, its default and `value`.

    A lower end of 0 is a stop of its own, four decades below the upper end or one below the smallest other value.
    """
    number = int if d["kind"] == "int" else float
    high = float(d["high"])
    low = float(d["low"]) if d["low"] else min([high / 1e4] + [v / 10 for v in (float(d["default"]), float(value)) if v > 0])
    if d["kind"] == "int":
        low = max(low, 1.0)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    stops = {float(f"{m}e{e}") for e in decades for m in (1, 2, 5)}
    stops = {s for s in stops if low <= s <= high} | {high, float(d["default"]), float(value)}
    stops |= {float(d["low"])} if d["low"] is not None else set()
    return sorted({number(s) for s in stops})


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _shown(d: Mapping[str, Any], value: Any) -> Any:
    """A value as its widget keeps it: ints as text, the others as they are."""
    return ", ".join(str(v) for v in value) if d["kind"] == "ints" else value
