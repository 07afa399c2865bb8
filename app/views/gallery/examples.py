"""The parts of a card: its picture and its difference; the numbers of all cards; and the examples that a link names."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.charts import palette
from app.session import recorded
from app.words import gallery as words
from app.words.text import escape
from engine.errors import LabError
from engine.report import svg
from engine.stats.verdict import format_change

XML = '<svg xmlns="http://www.w3.org/2000/svg"'
INKS = {"light": ("#26282C", "#595A63", "#E2E4E8", "#FFFFFF"), "dark": ("#EDEEF0", "#B5B3AC", "#33363B", "#121315")}
"""Ink, soft ink, rules and paper of pictures."""
FILM_STYLE = """
.real{fill:none;stroke-width:3;stroke-linecap:round}
.major{stroke:var(--major);stroke-opacity:.75}
.minor{stroke:var(--minor);stroke-width:6}
.faint{stroke:var(--minor);stroke-opacity:.5;stroke-width:4}
.way{fill:none;stroke:var(--point);stroke-width:1.1;stroke-opacity:.65}
.point{fill:var(--point);stroke:var(--paper);stroke-width:.8}
.edge{fill:none;stroke:var(--ink);stroke-width:1.6}
"""
"""Of what `engine.examples.film` draws."""


def draw_picture(card: Mapping[str, Any]) -> None:
    """Draw the card's picture in the colours of the page, and its film, which shows while the card is pointed at or has the focus.
    Both are images, since Streamlit takes no SVG in its HTML."""
    film = f'<img class="card-film" src="{_encode(card["film"])}" alt="">' if card["film"] else ""
    label = re.search(r'aria-label="([^"]*)"', card["picture"])
    alt = html.escape(html.unescape(label[1]), quote=True) if label else ""
    st.html(f'<div class="card-pictures"><img class="card-picture" src="{_encode(card["picture"])}" alt="{alt}">{film}</div>')


def _encode(picture: str) -> str:
    """Return an SVG of ours as the address of an image."""
    dark = st.context.theme.type == "dark"

    def pick(pair: tuple[str, str]) -> str:
        return pair[dark]

    colours = {
        **dict(zip(("ink", "soft", "rule", "paper"), INKS["dark" if dark else "light"], strict=True)),
        "major": pick(palette.TWO_CLASSES[0]), "minor": pick(palette.TWO_CLASSES[1]), "point": pick(palette.HELPS),
        "lead": pick(palette.COLOURS["green"]), "plain": pick(palette.SOFT_INK), "warm": pick(palette.COLOURS["orange"]),
        "green": pick(palette.COLOURS["sky"]),
    }  # fmt: skip
    root = ";".join(f"--{name}:{colour}" for name, colour in colours.items())
    head, _, rest = picture.partition(">")
    whole = f"{head.replace('<svg', XML, 1)}><style>:root{{{root}}}{svg.STYLE}{FILM_STYLE}</style>{rest}"
    return f"data:image/svg+xml;base64,{base64.b64encode(whole.encode()).decode()}"


def draw_difference(card: Mapping[str, Any]) -> None:
    """Draw the setting of a card and the difference that its title is about, as a dot with its interval beside zero."""
    dot = card["dot"]
    side = words.NEITHER if dot["better"] is None else words.BETTER if dot["better"] else words.WORSE
    style = {None: "even", True: "good", False: "bad"}[dot["better"]]
    reach = 1.12 * max(abs(dot[name]) for name in ("mean", "low", "high")) or 1.0

    def place(value: float) -> str:
        return f"{50 + 50 * value / reach:.2f}%"

    numbers = {name: format_change(dot[name]) for name in ("mean", "low", "high")}
    label = html.escape(words.DIFFERENCE.format(title=card["title"], zero=card["zero"], n=dot["n"], **numbers))
    width = f"{50 * (dot['high'] - dot['low']) / reach:.2f}%"
    st.html(
        f'<div class="card-setting">{html.escape(card["setting"])}</div>'
        f'<div class="card-dot {style}" role="img" aria-label="{label}" title="{label}"><div class="axis"><i class="zero"></i>'
        f'<i class="reach" style="left:{place(dot["low"])};width:{width}"></i>'
        f'<i class="{dot["look"]}" style="left:{place(dot["mean"])}"></i><b>{html.escape(card["zero"])}</b></div>'
        f'<span class="side">{side}</span></div>'
    )


def list_facts(cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the numbers of all cards, one record each."""
    ends = ("mean", "low", "high")
    return [
        {"run": card["title"], "setting": card["setting"], "number": fact["said"], "value": {end: fact[end] for end in ends}}
        | {
            "n": fact["n"],
            "interval": fact["kind"] if fact["low"] is not None else "",
            "against 0": words.SENSES[fact["sense"]],
        }
        for card in cards
        for fact in card["facts"]
    ]


def open_example(page: str) -> None:
    """Load the example that the page's address names, before the page is drawn."""
    try:
        recorded.load_examples(page, st.query_params.to_dict())
    except (LabError, ValueError) as error:
        st.error(words.BROKEN.format(reason=escape(error, 400)), icon=":material/error:")
