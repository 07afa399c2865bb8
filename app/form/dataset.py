"""The form's choice of a dataset, with what is known of it and its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.form.fields import draw_fields
from app.words.text import escape, format_count, format_ratio
from engine.spec import limits


def is_available(entry: Mapping[str, Any]) -> bool:
    """Whether the dataset is on the engine's machine, as far as an engine has said."""
    return bool(entry.get("available", True))


def choose_dataset(catalog: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Draw the choice of a dataset; return its catalog entry, its options, and what is wrong with them."""
    sources = list(dict.fromkeys(d["source"] for d in catalog["datasets"]))
    by_name = {d["name"]: d for d in sorted(catalog["datasets"], key=lambda d: sources.index(d["source"]))}

    def label(name: str, here: bool | None = None) -> str:
        d = by_name[name]
        here = is_available(d) if here is None else here
        return f"{d['title'].removesuffix(' (' + d['source'] + ')')} · {d['source']}" + ("" if here else " · not here")

    if (chosen := st.session_state.get("dataset")) not in by_name:
        # the browser sends labels back; an engine that starts meanwhile may have changed the chosen label
        before = {label(name, here): name for name in by_name for here in (True, False)}
        st.session_state["dataset"] = before.get(chosen or "", next(iter(by_name)))
    name = st.selectbox("Dataset", list(by_name), format_func=label, key="dataset", help="Type to search.")
    entry: dict[str, Any] = by_name[name]
    summary = st.container()
    with st.expander("About these data" if not entry["fields"] else "About these data, and their options"):
        data, wrong = draw_fields(entry["fields"], f"d.{name}", name)
        facts = st.container()
    counts = limits.class_counts(entry, data)
    skew = format_ratio(max(counts) / max(1, min(counts)))
    with summary:
        st.caption(
            f"{format_count(sum(counts), 'row')} · {format_count(entry['features'], 'feature')} · {len(counts)} classes, {skew}"
        )
        if not is_available(entry):
            st.warning(
                f"This dataset is not on the engine's machine. {escape(entry['how_to_get'], 400)}", icon=":material/download:"
            )
    with facts:
        if entry["summary"]:
            st.markdown(escape(entry["summary"], 600))
        classes = ", ".join(f"{escape(c, 30)} {n:,}" for c, n in zip(entry["classes"], counts, strict=True))
        lines = [f"Kind: {escape(entry['kind'])}", f"Rows per class: {classes}", f"Largest to smallest class: {skew}"]
        lines.append(f"Licence: {escape(entry['licence'] or 'not stated', 200)}")
        lines += [f"Cite: {escape(entry['citation'], 400)}"] if entry["citation"] else []
        st.markdown("\n".join(f"- {line}" for line in lines))
        if str(entry["url"] or "").startswith("https://"):
            st.link_button("Where they come from", entry["url"], icon=":material/open_in_new:")
    return entry, data, wrong
