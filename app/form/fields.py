"""The form's choice of a method, and one widget for each described field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import streamlit as st

from app.charts import method_menu
from app.charts.method_menu import Entry
from app.marks import draw_marks
from app.words import lab as words
from app.words.text import escape
from engine.errors import BadInput
from engine.spec import RunSpec, fields
from engine.spec.run import default_params
from engine.sweep.cost import estimate_cost

DEFAULTS = "defaults"
MOST_CELLS = 10
"""Classes, at most, of which a matrix is typed cell by cell; one of more is typed as text."""
ABREAST = 3
"""Cells side by side: the form is narrow."""
TEXTS = ("ints", fields.MATRIX)
"""Kinds of fields whose value the form keeps as text."""


def choose_method(catalog: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the choice of a method for this dataset; return its catalog entry."""
    methods = {m["name"]: m for m in catalog["methods"] if entry["kind"] in m["kinds"]}
    if st.session_state.get("method") not in methods:
        st.session_state["method"] = next(iter(methods))
    name = st.selectbox(words.METHOD, list(methods), format_func=lambda n: methods[n]["title"], key="method")
    method: dict[str, Any] = methods[name]
    first, rest = split_sentence(method["summary"])
    more = " ".join(filter(None, (escape(rest, 600), words.SOURCE.format(source=escape(method["source"], 400)))))
    st.caption(escape(first, 300), help=more)
    return method


def draw_menu(
    methods: Sequence[Mapping[str, Any]],
    guess: Callable[[Mapping[str, Any]], str],
    chosen: Collection[str],
    take: Callable[[str], object],
    key: str = "method-menu-list",
    closed: Mapping[str, str] | None = None,
    note: str = words.MENU_SECONDS,
    tall: bool = False,
) -> None:
    """Draw methods by family, searched, with a line each.

    guess(method): its seconds in words. take(name) is called where one is pressed. closed: method that cannot be chosen -> why. note: what
    the seconds are. tall: as high as the window allows.
    """
    groups: dict[str, list[Entry]] = {title: [] for title in words.FAMILIES.values()}
    for method in methods:
        title = words.FAMILIES.get(method["family"], method["family"])
        line = Entry(
            method["name"], method["title"], split_sentence(method["summary"])[0], shorten_source(method["source"]),
            guess(method), method["name"] in chosen, (closed or {}).get(method["name"], ""),
        )  # fmt: skip
        groups.setdefault(title, []).append(line)
    draw_marks(method_menu.draw_menu(groups, words.FIND_METHOD, words.NO_METHOD, tall=tall), key=key, pressed=take)
    st.caption(note)


def shorten_source(source: str) -> str:
    """Return the first clause of a source: whose a method is."""
    return re.split(r"[;:,(]|\. ", source, maxsplit=1)[0].strip().rstrip(".")


def guess_seconds(method: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Return about how long one replicate takes on a dataset, '' where that cannot be said."""
    try:
        spec = RunSpec(entry["name"], method["name"], params=default_params(method, entry["kind"]))
        seconds = estimate_cost(spec, entry, method)
    except (BadInput, KeyError, TypeError):
        return ""
    return words.ABOUT_SECONDS.format(seconds=f"{max(1.0, float(f'{seconds:.1g}')):,.0f}")


def split_sentence(text: str) -> tuple[str, str]:
    """Return the first sentence of a text, without what follows a colon in it, and the rest."""
    first, _, rest = text.partition(". ")
    head, colon, tail = first.partition(": ")
    if colon:
        first, rest = head, " ".join(filter(None, (f"{tail.rstrip('.')}.", rest)))
    return f"{first.rstrip('.')}.", rest


def _list_presets(method: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the named sets of values of a method, complete, the usual one on this kind of data first."""
    base = {d["name"]: d["default"] for d in method["fields"]}
    whole = {DEFAULTS: base} | {name: base | values for name, values in method["presets"].items()}
    usual = method["suited"].get(kind, DEFAULTS)
    return {usual: whole[usual]} | whole


def draw_method_fields(method: Mapping[str, Any], kind: str, classes: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """Draw the method's own fields; return their values and what is wrong with them, in sentences. The caller's place is a fold.
    classes: names of the dataset's, for a matrix of costs."""
    who, presets, usual = method["name"], _list_presets(method, kind), default_params(method, kind)
    described = [d | {"default": usual[d["name"]]} for d in method["fields"]]
    if not described:
        return {}, []
    prefix = f"p.{who}.{kind}"

    def shown(name: str) -> dict[str, Any]:
        return {d["name"]: widget_value(d, presets[name][d["name"]]) for d in described}

    def take() -> None:
        chosen = st.session_state[f"preset.{prefix}"]
        if chosen in presets:
            st.session_state.update({f"{prefix}.{name}": value for name, value in shown(chosen).items()})

    if len(presets) > 1:
        now = {d["name"]: st.session_state.get(f"{prefix}.{d['name']}", widget_value(d, d["default"])) for d in described}
        same = next((name for name in presets if shown(name) == now), None)
        st.session_state[f"preset.{prefix}"] = same
        st.segmented_control(
            words.START_FROM,
            list(presets),
            key=f"preset.{prefix}",
            on_change=take,
            help=words.PRESETS_HELP,
        )
        for note in method["deviations"].get(same or "", []):
            st.caption(escape(note, 300))
    values, wrong = draw_fields([d for d in described if not d["advanced"]], prefix, who, classes)
    if folded := [d for d in described if d["advanced"]]:
        if st.toggle(words.FINER, key=f"finer.{prefix}"):
            more, also = draw_fields(folded, prefix, who, classes)
        else:
            more, also = _read_folded(folded, prefix, who)
        values, wrong = values | more, wrong + also
    return values, wrong


def _read_folded(described: Sequence[Mapping[str, Any]], prefix: str, who: str) -> tuple[dict[str, Any], list[str]]:
    """Return the values of folded fields as a link or preset left them.

    Streamlit forgets the values of widgets that are not drawn, so they are written again.
    """
    values, wrong = {}, []
    for d in described:
        key = f"{prefix}.{d['name']}"
        value = st.session_state.setdefault(key, widget_value(d, d["default"]))
        st.session_state[key] = value
        try:
            values[d["name"]] = fields.parse(d, value, who) if d["kind"] in TEXTS else fields.check_value(d, value, who)
        except BadInput as error:
            wrong.append(str(error))
    return values, wrong


def draw_fields(
    described: Sequence[Mapping[str, Any]], prefix: str, who: str, classes: Sequence[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Draw one widget for each described field (`engine.spec.fields.describe`); return the values and what is wrong, in
    sentences. classes: see `draw_method_fields`."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for d in described:
        try:
            values[d["name"]] = fields.check_value(d, _draw_field(d, f"{prefix}.{d['name']}", who, classes), who)
        except BadInput as error:
            wrong.append(str(error))
    return values, wrong


def _draw_field(d: Mapping[str, Any], key: str, who: str, classes: Sequence[str] = ()) -> Any:
    label = (d["label"][:1].upper() + d["label"][1:]) + (f" ({d['unit']})" if d["unit"] else "")
    help, kind, state = escape(d["help"], 600), d["kind"], st.session_state
    state.setdefault(key, widget_value(d, d["default"]))
    if kind == "bool":
        return st.toggle(label, key=key, help=help)
    if kind == "choice":
        if state[key] not in d["choices"]:
            state[key] = d["default"]
        return st.selectbox(label, d["choices"], key=key, help=help)
    if kind == "ints":
        return fields.parse(d, st.text_input(label, key=key, help=help), who)
    if kind == fields.MATRIX:
        return fields.parse(d, _draw_matrix(d, key, label, help, who, classes), who)
    if d["log"] and d["high"] is not None:
        stops = log_stops(d, state[key])
        return st.select_slider(label, stops, key=key, help=help, format_func=_format_number)
    number = int if kind == "int" else float
    low, high = (None if d[end] is None else number(d[end]) for end in ("low", "high"))
    state[key] = number(state[key])
    if low is not None and high is not None and (kind == "float" or high - low <= 100):
        step = 1 if kind == "int" else (high - low) / 100
        return st.slider(label, low, high, key=key, step=step, help=help, format=None if kind == "int" else "%.3g")
    return st.number_input(label, low, high, key=key, help=help, step=1 if kind == "int" else None)


def _draw_matrix(d: Mapping[str, Any], key: str, label: str, help: str, who: str, classes: Sequence[str]) -> str:
    """Draw a grid of costs, the true class down and the chosen one across; return them as text, '' where they are not typed.

    The text is in the session's state under `key`, from where links and presets change it; the cells follow it.
    """
    state, n = st.session_state, len(classes)
    if not 2 <= n <= MOST_CELLS:
        return st.text_input(label, key=key, help=help)
    try:
        typed = fields.parse(d, state[key], who)
    except BadInput:
        typed = []
    costs = typed if len(typed) == n else [[float(i != j) for j in range(n)] for i in range(n)]
    if state.get(f"{key}.drawn") != state[key]:
        state[f"{key}.typed"] = bool(state[key])
        state.update({f"{key}.{i}.{j}": costs[i][j] for i in range(n) for j in range(n)})
    if not st.toggle(words.MATRIX_TYPE.format(label=label[:1].lower() + label[1:]), key=f"{key}.typed", help=help):
        state[key] = state[f"{key}.drawn"] = ""
        return ""
    st.caption(words.MATRIX_HOW)
    cells = []
    for i, true in enumerate(classes):
        st.caption(words.MATRIX_ROW.format(true=escape(true, 30)))
        row = []
        for j, chosen in enumerate(classes):
            if j % ABREAST == 0:
                places = st.columns(min(ABREAST, n))
            state.setdefault(f"{key}.{i}.{j}", costs[i][j])
            cell = places[j % ABREAST].number_input(
                escape(chosen, 20), d["low"], d["high"], key=f"{key}.{i}.{j}", disabled=i == j, format="%g"
            )
            row.append(cell)
        cells.append(row)
    state[key] = state[f"{key}.drawn"] = fields.format_value(cells)
    return str(state[key])


def log_stops(d: Mapping[str, Any], value: float) -> list[float]:
    """Return the stops of a logarithmic slider: 1, 2, 5 in every decade between the field's ends, both ends, the default and
    `value`.

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


def _format_number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def widget_value(d: Mapping[str, Any], value: Any) -> Any:
    """Return a value as its widget keeps it: ints and matrices as text, others as they are."""
    if d["kind"] == fields.MATRIX:
        return fields.format_value(value)
    return ", ".join(str(v) for v in value) if d["kind"] == "ints" else value
