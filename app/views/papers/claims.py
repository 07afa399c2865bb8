"""A paper's claims: cards for a glance, and every claim of every dataset as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app.charts import printed
from app.charts.printed import Claim
from app.marks import draw_marks
from app.parts import share
from app.words import naming
from app.words import papers as words
from app.words.text import format_count
from engine.papers.cards import Card
from engine.papers.verdicts import FAILS, HOLDS, NOT_MEASURED, UNDECIDED
from engine.stats.verdict import State, Verdict, describe_numbers, format_change, verdict

FIRST = 8
"""Cards that are drawn at once."""
SHOWN = {HOLDS: words.HOLDS, FAILS: words.FAILS, UNDECIDED: words.UNDECIDED, NOT_MEASURED: words.NOT_MEASURED}
NAMES = {
    "ExplicitGradient": "Explicit gradient", "CE, equal steps": "equal steps", "frozen, chosen": "frozen", "moving, chosen": "moving",
    "CE": "plain", "RS": "balanced batches", "Baseline": "plain",
}  # fmt: skip
"""Names of the papers' rows in the titles of cards."""
ORDER = {HOLDS: 0, FAILS: 1, UNDECIDED: 2, NOT_MEASURED: 3}


def judge_claims(cards: Sequence[Card]) -> Verdict | None:
    """Return the verdict on a table: how many of its claims hold; None where it has no claims that were tested."""
    asked = [card for card in cards if card.verdict != NOT_MEASURED]
    if not asked:
        return None
    said = verdict("", "", None, 0, State(claims=(sum(card.verdict == HOLDS for card in asked), len(asked))))
    more = [f"{format_count(sum(card.verdict == one for card in asked), 'claim')}: {SHOWN[one]}." for one in (FAILS, UNDECIDED)]
    return replace(said, more=tuple(more))


def draw_cards(cards: Sequence[Card]) -> None:
    """Draw the cards of the claims, those that are decided first; of many, the first ones."""
    if not cards:
        return
    places = list(dict.fromkeys(card.dataset for card in cards))
    chosen = list(cards)
    if len(cards) > FIRST and len(places) > 1:
        if st.session_state.get("papers.claims") not in places:
            st.session_state["papers.claims"] = places[0]
        place = st.segmented_control(
            words.CLAIM_DATASET, places, key="papers.claims", required=True, label_visibility="collapsed"
        )
        chosen = [card for card in cards if card.dataset == place]
    ordered = sorted(chosen, key=lambda card: ORDER.get(card.verdict, 4))
    whole = len(ordered) <= FIRST or bool(st.session_state.get("papers.cards.all"))
    several = len({card.dataset for card in ordered}) > 1
    shown = [make_claim(card, several) for card in (ordered if whole else ordered[:FIRST])]
    draw_marks(printed.draw_claims(shown, words.PRINTED, words.HERE), key="papers-claims")
    if len(ordered) > FIRST:
        st.button(
            words.FEWER_CLAIMS if whole else words.ALL_CLAIMS.format(count=len(ordered)),
            key="papers.cards.more",
            type="tertiary",
            on_click=lambda: st.session_state.update({"papers.cards.all": not whole}),
        )


def make_claim(card: Card, several: bool = False) -> Claim:
    """Return a card as it is drawn. several: cards of other datasets stand beside it, so that its title names its own."""
    better = {HOLDS: True, FAILS: False}.get(card.verdict)
    tip = describe_card(card)
    title = f"{card.dataset}: {name_claim(card.text)}" if several else name_claim(card.text)
    return Claim(title, SHOWN.get(card.verdict, card.verdict), better, card.interval, card.printed, tip)


def describe_card(card: Card) -> str:
    """Return a card's numbers in words."""
    parts = [] if card.printed is None else [words.CARD_PRINTED.format(value=format_change(card.printed))]
    if card.interval is not None:
        said = describe_numbers(card.interval, "", card.level)
        if card.sets:
            said = said.replace(format_count(card.n, "replicate"), words.OVER_SETS.format(n=card.sets))
        parts.append(said)
    elif card.reason:
        parts.append(card.reason)
    return "\n".join(parts) or SHOWN.get(card.verdict, card.verdict)


def name_claim(claim: str) -> str:
    """Return a claim as the title of its card: 'Explicit gradient above plain' of 'ExplicitGradient above CE, average precision'."""
    text = claim.removesuffix(", average precision")
    for name in sorted(NAMES, key=len, reverse=True):
        text = _swap(text, name, NAMES[name])
    return text[:1].upper() + text[1:]


def _swap(text: str, name: str, shown: str) -> str:
    """Replace a whole name in a text."""
    for left in ("", "above ", "below "):
        if left and text.endswith(left + name):
            text = text[: -len(left + name)] + left + shown
        elif not left and (text == name or text.startswith((f"{name} above", f"{name} below", f"{name}, above"))):
            text = shown + text[len(name) :].removeprefix(",")
    return text


def draw_table(claims: Sequence[Mapping[str, Any]]) -> None:
    """Draw every claim on every dataset, those that are decided first."""
    ordered = sorted(claims, key=lambda claim: ORDER.get(claim["verdict"], 4))
    rows = []
    for claim in ordered:
        d = claim["difference"] or {}
        mean, low, high = (d.get(name) for name in ("mean", "low", "high"))
        row = {
            "dataset": naming.format_cell(claim["dataset"]),
            "claim": naming.format_cell(claim["text"]),
            "verdict": SHOWN.get(claim["verdict"], claim["verdict"]) + (f": {claim['reason']}" if claim["reason"] else ""),
            "difference": "" if mean is None else format_change(mean),
            "interval": ""
            if low is None or high is None
            else words.TO.format(low=format_change(low), high=format_change(high)),
            "p": "" if claim["p_holm"] is None else format_p(claim["p_holm"]),
            "n": str(claim["n"] or ""),
        }
        rows.append({words.CLAIM_COLUMNS[name]: value for name, value in row.items()})
    if not rows:
        st.caption(words.NO_CLAIMS)
        return
    frame = pd.DataFrame(rows, columns=list(words.CLAIM_COLUMNS.values()))
    st.caption(words.CLAIMS_NOTE)
    st.dataframe(
        frame,
        hide_index=True,
        alt=f"{format_count(len(rows), 'claim')} with their verdicts",
        height=min(620, 36 * len(rows) + 39),
    )
    share.offer_table(frame, "claims", "papers-claims-table", words.TABS["claims"])


def format_p(p: float) -> str:
    """Return '.012', '< .0001'."""
    return "< .0001" if p < 1e-4 else f"{p:.2g}".replace("0.", ".", 1)
