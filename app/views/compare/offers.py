"""What would fill an empty view: datasets, methods or a ratio that the plan lacks, with the time they take and the button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app.form import dataset
from app.session import visitor
from app.views.compare import plan
from app.views.compare.context import Context
from app.views.compare.progress import adopt_plan, read_standing
from app.words import compare as words
from app.words.text import format_count, format_duration
from engine.errors import BadInput
from engine.spec.companions import BASELINE
from engine.spec.fields import catalog_field
from engine.sweep import SweepSpec

RANKED_SETS, RANKED_METHODS = 4, 3
"""Datasets and methods, plain training among them, from which ranks are drawn."""
FIRST = ("clusters", "breast-cancer", "moons", "rings", "iris", "wine")
"""Datasets that are offered before others: small ones that come with the product."""


def offer_ranks(context: Context) -> bool:
    """Draw what ranks lack; False where they lack nothing."""
    spec, catalog = context.spec, context.catalog
    if spec is None:
        return False
    if (lack := RANKED_METHODS - len({*spec.methods, BASELINE})) > 0:
        more = find_methods(spec, catalog)[:lack]
        wanted = replace(spec, methods=(*spec.methods, *more))
        texts = (words.RANKS_METHODS, words.RANKS_METHODS_UNTIMED, words.RANKS_ADD_METHODS)
        _draw_offer(wanted, len(more), catalog, *texts, "method")
        return True
    if (lack := RANKED_SETS - len(spec.datasets)) > 0:
        more = find_datasets(spec, catalog)[:lack]
        wanted = replace(spec, datasets=(*spec.datasets, *more))
        _draw_offer(wanted, len(more), catalog, words.RANKS_NEED, words.RANKS_NEED_UNTIMED, words.RANKS_ADD_DATASETS, "dataset")
        return True
    return False


def offer_ratio(context: Context) -> bool:
    """Draw what a line over ratios lacks; False where it lacks nothing."""
    spec, catalog = context.spec, context.catalog
    if spec is None or len(spec.ratios) > 1 or len({r["ratio"] for r in context.records or ()}) > 1:
        return False
    more = [r for r in plan.OFFERED if r not in spec.ratios and not replace(spec, ratios=(r,)).impossible(catalog)]
    near = sorted(more, key=lambda r: abs(r - spec.ratios[0]))[:1]
    wanted = replace(spec, ratios=tuple(sorted((*spec.ratios, *near))))
    _draw_offer(wanted, len(near), catalog, words.RATIO_ONE, words.RATIO_ONE_UNTIMED, words.RATIO_ADD, "ratio")
    return True


def find_datasets(spec: SweepSpec, catalog: Mapping[str, Any]) -> list[str]:
    """Return datasets that this plan could have too, those that take least first."""

    def fits(entry: Mapping[str, Any]) -> bool:
        if entry["name"] in spec.datasets or not dataset.is_available(entry):
            return False
        try:
            return not replace(spec, datasets=(entry["name"],)).impossible(catalog)
        except BadInput:
            return False

    def order(entry: Mapping[str, Any]) -> tuple[bool, int]:
        name = entry["name"]
        return (name not in FIRST, FIRST.index(name) if name in FIRST else int(entry.get("rows") or sum(entry["counts"])))

    fitting = [d for d in catalog["datasets"] if d["kind"] != "images" and not d.get("parts") and fits(d)]
    return [d["name"] for d in sorted(fitting, key=order)]


def find_methods(spec: SweepSpec, catalog: Mapping[str, Any]) -> list[str]:
    """Return methods that this plan could have too, the suggested ones first."""
    places = {m["name"]: catalog_field(m, "suggested") for m in catalog["methods"]}
    offered = [name for name in plan.list_methods(catalog) if name not in spec.methods and name != BASELINE]
    fitting = [name for name in offered if not replace(spec, methods=(name,)).impossible(catalog)]
    return sorted(fitting, key=lambda name: (places[name] is None, places[name] or 0))


def _draw_offer(
    wanted: SweepSpec, count: int, catalog: Mapping[str, Any], timed: str, untimed: str, button: str, key: str
) -> None:
    """Draw the sentence and the button that runs the wanted plan. count: of what it has more than the plan."""
    seconds = read_standing(wanted, catalog, keep=False).seconds_missing
    given = {"need": RANKED_SETS, "count": count}
    text = timed.format(**given, time=format_duration(seconds)) if seconds else untimed.format(**given)
    with st.container(horizontal=True, vertical_alignment="center", key="compare-offer"):
        st.markdown(text.replace("~", ""), width="content")
        st.button(
            button,
            key=f"compare.add.{key}",
            type="primary",
            icon=":material/add:",
            on_click=adopt_plan,
            args=(wanted,),
            disabled=not count or visitor.is_demo() or bool(plan.list_absent(wanted, catalog)),
        )
    if visitor.is_demo():
        st.caption(visitor.explain_demo())
    elif not count:
        st.caption(format_count(0, key))
