"""The parts of a card: its picture and its numbers; and the examples that a link names."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.session import recorded
from app.words.text import escape, format_difference, format_interval
from engine.errors import LabError
from engine.report import svg
from engine.stats.intervals import Interval

SENSES = {
    "above 0": ":material/north_east: above 0",
    "below 0": ":material/south_east: below 0",
    "holds 0": ":material/drag_handle: cannot be told from 0",
    "": "",
}
"""Words for an interval by its place relative to 0."""
EXACT = ":material/drag_handle: is 0 in every replicate"
XML = '<svg xmlns="http://www.w3.org/2000/svg"'
NAMES = ("ink", "soft", "rule", "paper", "lead", "plain", "warm", "green")
COLOURS = {
    "light": ("#1A1A19", "#5B5A56", "#E2E1DC", "#FFFFFF", "#00644B", "#5B5A56", "#B34A00", "#005A9C"),
    "dark": ("#F3F2EF", "#B9B7B0", "#3A3833", "#0E1117", "#3CC79A", "#B9B7B0", "#FF9A5C", "#56B4E9"),
}
"""Values of the colours that `engine.report.svg.STYLE` names."""
FRAME = """<style>
.card-picture { display: block; width: 100%; max-width: 25rem; margin: 0 auto; }
.st-key-gallery h4 { font-size: 1.15rem; }
</style>"""


def draw_picture(card: Mapping[str, Any]) -> None:
    """Draw the card's picture, an SVG of ours, in the colours of the page.
    It is an image, since Streamlit takes no SVG in its HTML."""
    colours = zip(NAMES, COLOURS["dark" if st.context.theme.type == "dark" else "light"], strict=True)
    style = f"<style>:root{{{';'.join(f'--{name}:{colour}' for name, colour in colours)}}}{svg.STYLE}</style>"
    head, _, rest = card["picture"].partition(">")
    whole = f"{head.replace('<svg', XML, 1)}>{style}{rest}"
    label = re.search(r'aria-label="([^"]*)"', head)
    alt = html.escape(html.unescape(label[1]), quote=True) if label else ""
    data = base64.b64encode(whole.encode()).decode()
    st.html(f'{FRAME}<img class="card-picture" src="data:image/svg+xml;base64,{data}" alt="{alt}">')


def draw_facts(card: Mapping[str, Any]) -> None:
    """Draw the card's numbers, one line each, and what their intervals are."""
    lines = []
    for fact in card["facts"]:
        value = read_interval(fact)
        digits = 1 if abs(value.mean) >= 5 else 3  # percent, or a score
        text = format_difference(value, digits) if fact["sense"] else format_interval(value, digits)
        sense = f" · {EXACT if value.low == value.high == 0 else SENSES[fact['sense']]}" if fact["sense"] else ""
        lines.append(f"- {escape(fact['said'], 80)}: **{text}**{sense}")
    st.markdown("\n".join(lines))
    known = [fact for fact in card["facts"] if fact["low"] is not None]
    if known:
        st.caption(f"Brackets: {escape(known[0]['kind'], 120)}; n = {_format_counts(known)}.")


def list_facts(cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the numbers of all cards, one record each."""
    ends = ("mean", "low", "high")
    return [
        {"example": card["title"], "number": fact["said"], "value": {end: fact[end] for end in ends}}
        | {"n": fact["n"], "interval": fact["kind"] if fact["low"] is not None else "", "against 0": fact["sense"]}
        for card in cards
        for fact in card["facts"]
    ]


def read_interval(fact: Mapping[str, Any]) -> Interval:
    """Return a number of a card with its interval; NaN where it has none."""
    mean, low, high = (math.nan if fact[name] is None else float(fact[name]) for name in ("mean", "low", "high"))
    return Interval(mean, low, high, int(fact["n"]), str(fact["kind"]))


def _format_counts(facts: Sequence[Mapping[str, Any]]) -> str:
    return " and ".join(dict.fromkeys(str(fact["n"]) for fact in facts))


def open_example(page: str) -> None:
    """Load the example that the page's address names, before the page is drawn."""
    try:
        recorded.load_examples(page, st.query_params.to_dict())
    except (LabError, ValueError) as error:
        st.error(f"The example of this link cannot be opened: {escape(error, 400)}", icon=":material/error:")
