"""The questions to a table: the column to predict, the class looked for, and how its columns are read."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.charts import palette
from app.views.data import classes, columns
from app.words import data as words
from app.words.naming import BLANK
from app.words.text import format_count, format_ratio
from engine.text import one_line

SHOWN_CLASSES, SHOWN_COLUMNS = 8, 8
"""Classes and left-out columns that a card lists."""
_SOFT = "light-dark({}, {})".format(*palette.SOFT_INK)
STYLE = f"""<style>
.card {{ border: 1px solid rgba(128, 128, 128, .32); border-radius: 10px; padding: 14px 18px; font-size: 14px; }}
.card h2 {{ font-size: 15.5px; font-weight: 650; margin: 0 0 8px; padding: 0; }}
.card p {{ margin: 6px 0 0; font-size: 13px; color: {_SOFT}; }}
.card table {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }}
.card td {{ padding: 5px 0; border: 0; border-bottom: 1px solid rgba(128, 128, 128, .22); overflow-wrap: anywhere; }}
.card td:first-child {{ width: 70%; }} .card.facts td:first-child {{ width: auto; }} .card.facts td + td {{ white-space: nowrap; }}
.card td + td {{ text-align: right; color: {_SOFT}; font-size: 13px; padding-left: 12px; }}
.card .share {{ display: block; height: 6px; border-radius: 3px; margin-top: 3px; min-width: 2px; }}
</style>"""


def draw_questions(
    profile: Mapping[str, Any],
    reading: Mapping[str, Any],
    version: str,
    *,
    take: Callable[[str | None, str | None], None],
    take_marks: Callable[[list[str]], None],
    bar: Callable[[bool], None],
) -> dict[str, Any] | None:
    """Draw the questions; return how the table is to be read instead, None where nothing is asked.

    version: another one resets the choices. take, take_marks: as in `classes.draw_classes`. bar(ready): draws the button that compares.
    """
    st.html(STYLE)
    left, right = st.columns([900, 388], gap="medium")
    with right, st.container(gap="small"):
        draw_cards(profile)
    with left:
        ready = classes.draw_classes(
            profile, take, version, no_answer=list(reading.get("target_missing") or ()), take_marks=take_marks
        )
        asked = columns.draw_types(profile, reading, version)
        if profile["target"] is not None:
            bar(ready)
    return asked


def draw_cards(profile: Mapping[str, Any]) -> None:
    """Draw the classes, the split, and the columns that are no features."""
    if profile["classes"]:
        st.html(write_classes(profile))
    note = words.SPLIT_NOTE.format(folds=format_count(profile["folds"], "fold")) if profile.get("folds") else words.SPLIT_NONE
    st.html(f"<div class='card'><h2>{words.SPLIT_HEAD}</h2><p>{note}</p></div>")
    st.html(write_left_out(profile))


def write_classes(profile: Mapping[str, Any]) -> str:
    """Return the card of the classes as HTML, every text escaped."""
    most = max(int(c["rows"]) for c in profile["classes"])
    body = ""
    for c in profile["classes"][:SHOWN_CLASSES]:
        wanted = c["name"] == profile.get("positive")
        colour = "light-dark({}, {})".format(*palette.TWO_CLASSES[wanted])
        bar = f"<span class='share' style='width:{100 * int(c['rows']) / most:.1f}%;background:{colour}'></span>"
        body += f"<tr><td>{_escape(c['name'])}{bar}</td><td>{int(c['rows']):,} · {100 * float(c['share']):.2g}%</td></tr>"
    rest = len(profile["classes"]) - SHOWN_CLASSES
    more = f"<p>{words.MORE_OUT.format(count=rest)}</p>" if rest > 0 else ""
    said = words.ROWS_USED.format(
        rows=format_count(profile["used"], "row"), features=format_count(profile["features"], "feature")
    )
    ratio = words.RATIO.format(ratio=format_ratio(profile["ratio"]))
    return f"<div class='card'><h2>{words.CLASSES_HEAD}</h2><table>{body}</table>{more}<p>{said} {ratio}</p></div>"


def write_left_out(profile: Mapping[str, Any]) -> str:
    """Return the card of the columns that nothing is learnt from as HTML, with the reasons, every text escaped."""
    why = {c["name"]: str(c.get("why") or "") for c in profile["columns"]}
    left = [str(c["name"]) for c in profile.get("left_out") or ()]
    body = "".join(
        f"<tr><td>{_escape(name)}</td><td>{html.escape(why.get(name, ''))}</td></tr>" for name in left[:SHOWN_COLUMNS]
    )
    rest = len(left) - SHOWN_COLUMNS
    more = f"<p>{words.MORE_OUT.format(count=rest)}</p>" if rest > 0 else ""
    none = f"<p>{words.NOTHING_OUT}</p>" if not left else ""
    return f"<div class='card'><h2>{words.LEFT_HEAD}</h2><table>{body}</table>{more}{none}</div>"


def _escape(text: object) -> str:
    return html.escape(one_line(str(text), 40) or BLANK, quote=True)
