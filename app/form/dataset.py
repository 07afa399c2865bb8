"""The form's choice of a dataset, with what is known of it and its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.form.fields import draw_fields
from app.words import lab as words
from app.words.text import escape, format_count, format_ratio
from engine.spec import limits


def is_available(entry: Mapping[str, Any]) -> bool:
    """Whether the dataset is on the engine's machine, as far as an engine has said."""
    return bool(entry.get("available", True))


def choose_dataset(catalog: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the choice of a dataset; return its catalog entry."""
    sources = list(dict.fromkeys(d["source"] for d in catalog["datasets"]))
    by_name = {d["name"]: d for d in sorted(catalog["datasets"], key=lambda d: sources.index(d["source"]))}

    def label(name: str, here: bool | None = None) -> str:
        d = by_name[name]
        here = is_available(d) if here is None else here
        return str(d["title"]) + ("" if here else " · not here")

    if (chosen := st.session_state.get("dataset")) not in by_name:
        # the browser sends labels back; an engine that starts meanwhile may have changed the chosen label
        before = {label(name, here): name for name in by_name for here in (True, False)}
        st.session_state["dataset"] = before.get(chosen or "", next(iter(by_name)))
    name = st.selectbox(words.DATASET, list(by_name), format_func=label, key="dataset", help=words.SEARCH)
    entry: dict[str, Any] = by_name[name]
    if not is_available(entry):
        st.warning(words.NOT_HERE.format(how=escape(entry["how_to_get"], 400)), icon=":material/download:")
    return entry


def draw_options(entry: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Draw a dataset's options and what is known of it; return the options and what is wrong with them."""
    data, wrong = draw_fields(entry["fields"], f"d.{entry['name']}", entry["name"])
    counts = limits.class_counts(entry, data)
    skew = format_ratio(max(counts) / max(1, min(counts)))
    rows, features = format_count(sum(counts), "row"), format_count(entry["features"], "feature")
    st.caption(words.FACTS.format(rows=rows, features=features, classes=len(counts), ratio=skew))
    if entry["summary"]:
        st.markdown(escape(entry["summary"], 600))
    classes = ", ".join(f"{escape(c, 30)} {n:,}" for c, n in zip(entry["classes"], counts, strict=True))
    lines = [words.KIND.format(kind=escape(entry["kind"])), words.CLASS_ROWS.format(classes=classes)]
    lines.append(words.LICENCE.format(licence=escape(entry["licence"] or words.NOT_STATED, 200)))
    lines += [words.CITE.format(citation=escape(entry["citation"], 400))] if entry["citation"] else []
    st.markdown("\n".join(f"- {line}" for line in lines))
    if str(entry["url"] or "").startswith("https://"):
        st.link_button(words.ORIGIN, entry["url"], icon=":material/open_in_new:")
    return data, wrong
