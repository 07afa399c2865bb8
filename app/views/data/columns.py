"""How a table was read: every guess, and forms to correct it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.parts.elements import draw_heading
from app.words import data as words
from app.words.naming import format_cell
from app.words.text import escape, format_count

TYPES = ("numeric", "categorical", "boolean", "date", "ignore")
"""Types that a column can be given."""
ENCODINGS = (
    "utf-8",
    "utf-16",
    "cp1252",
    "latin-1",
    "iso8859-15",
    "cp1250",
    "cp1251",
    "mac-roman",
    "cp932",
    "gb18030",
    "big5",
    "cp949",
)
"""Offered; the one that was guessed is always among them."""
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces", "": "nothing: a single column"}
DECIMALS = {".": "point, 1.5", ",": "comma, 1,5"}
THOUSANDS = {"": "none", ",": "commas, 1,000", ".": "points, 1.000", " ": "spaces, 1 000", "'": "apostrophes, 1'000"}
HEADER = {True: "the first row", False: "no row: number the columns"}
GUESS, GUESSED = "guess", "as guessed"
_SAID = ("types", "target_missing")
"""What a person says of columns and target, which a form of the file's format keeps."""
KINDS = {
    "text": "text (left out)",
    "id": "ID (left out)",
    "constant": "constant (left out)",
    "empty": "empty (left out)",
    "ignored": "ignored",
}
"""Kinds whose meaning needs an explanation."""


def draw_reading(profile: Mapping[str, Any]) -> None:
    """Draw how the file was read, and what was met."""
    st.markdown(describe_reading(profile))
    for note in list(profile.get("notes") or ())[:8]:
        st.caption(f":material/info: {escape(note, 300)}")


def draw_format(profile: Mapping[str, Any] | None, reading: Mapping[str, Any], version: str) -> dict[str, Any] | None:
    """Draw a form to read the file another way; return what it asks for once it is sent, else None.

    profile: None where the table could not be read. reading: what the person has said so far. version: another one resets the form.
    """
    guesses: Mapping[str, Any] = (profile or {}).get("guesses") or {}
    with (
        st.expander(words.HOW_READ, icon=":material/table_edit:", expanded=profile is None, key=f"mine.columns.{version}"),
        st.form(f"mine.form.{version}", border=False),
    ):
        chosen = _choose_format(guesses, reading, version)
        sent, guess = _draw_buttons()
    if guess:
        return {}
    return chosen | {name: reading[name] for name in _SAID if reading.get(name)} if sent else None


def draw_types(profile: Mapping[str, Any], reading: Mapping[str, Any], version: str) -> dict[str, Any] | None:
    """Draw the columns, their kinds and some of their values, and a form to take a column for another kind; return as `draw_format`."""
    with st.form(f"mine.kinds.{version}", border=False):
        types = _choose_types(profile["columns"], reading, version)
        sent, guess = _draw_buttons()
    if guess:
        return {}
    kept = {name: value for name, value in reading.items() if name != "types"}
    return kept | ({"types": types} if types else {}) if sent else None


def _draw_buttons() -> tuple[bool, bool]:
    """Draw the buttons of a form; return whether each was pressed."""
    with st.container(horizontal=True):
        sent = st.form_submit_button(words.READ_SO, icon=":material/refresh:")
        guess = st.form_submit_button(words.GUESS_ALL, icon=":material/auto_fix:", type="tertiary")
    return sent, guess


def describe_reading(profile: Mapping[str, Any]) -> str:
    """Return '1,200 rows, 8 columns. Text in utf-8, columns parted by a comma, ...'."""
    guesses = profile.get("guesses") or {}
    parts = []
    if guesses.get("encoding"):
        parts.append(f"text in {escape(guesses['encoding'])}")
    if guesses.get("delimiter") is not None:
        delimiter = DELIMITERS.get(guesses["delimiter"]) or guesses["delimiter"]
        parts.append(f"columns parted by {escape(delimiter)}" if guesses["delimiter"] else "a single column")
    if guesses.get("decimal"):
        parts.append(f"decimal {'comma' if guesses['decimal'] == ',' else 'point'}")
    if guesses.get("thousands"):
        delimiter = THOUSANDS.get(guesses["thousands"], "blanks").partition(",")[0]
        parts.append(f"thousands parted by {delimiter}")
    if guesses.get("header") is not None:
        parts.append("names in the first row" if guesses["header"] else "no row of names")
    if guesses.get("sheet"):
        parts.append(f"sheet {escape(guesses['sheet'])}")
    marks = [escape(mark, 20) for mark in guesses.get("missing") or ()]
    if marks:
        parts.append(
            f"missing where it says {', '.join(marks[:5])}" + (f" and {len(marks) - 5} more" if len(marks) > 5 else "")
        )
    how = f" {', '.join(parts)[:1].upper()}{', '.join(parts)[1:]}." if parts else ""
    return f"**{format_count(profile['rows'], 'row')}, {format_count(len(profile['columns']), 'column')}.**{how}"


def _choose_format(guesses: Mapping[str, Any], reading: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Draw the choices of the file's format; return those that the person made."""
    text = guesses.get("format") in (None, "text")
    out: dict[str, Any] = {}
    columns = st.columns(3)

    def choose(at: int, key: str, label: str, options: Mapping[Any, str], help: str) -> None:
        known = dict(options)
        for value in (guesses.get(key), reading.get(key)):
            if value is not None and value not in known:
                known[value] = repr(value)
        guess = guesses.get(key) if key not in reading else None
        first = GUESS if guess is None else f"{GUESS}: {known[guess]}"
        names = [None, *known]
        with columns[at]:
            chosen = st.selectbox(
                label,
                names,
                index=names.index(reading[key]) if reading.get(key) in known else 0,
                format_func=lambda v: first if v is None else known[v],
                key=f"mine.{key}.{version}",
                help=help,
            )
        if chosen is not None:
            out[key] = chosen

    if text:
        choose(0, "encoding", "Encoding", {e: e for e in ENCODINGS}, "How the bytes stand for letters.")
        choose(1, "delimiter", "Columns parted by", DELIMITERS, "The character between two cells.")
    choose(2 if text else 0, "header", "Names of columns", HEADER, "Where the columns' names are.")
    if guesses.get("format") != "parquet":
        choose(0 if text else 1, "decimal", "Decimal mark", DECIMALS, "What parts whole numbers from fractions.")
        choose(1 if text else 2, "thousands", "Thousands mark", THOUSANDS, "What groups digits by three.")
    if guesses.get("sheet") or reading.get("sheet"):
        with columns[0]:
            sheet = st.text_input(
                "Sheet",
                str(reading.get("sheet") or ""),
                key=f"mine.sheet.{version}",
                placeholder="the first that holds a table",
            )
        if sheet.strip():
            out["sheet"] = sheet
    with columns[2]:
        marks = st.text_input(
            "Missing marks, parted by |",
            "|".join(reading.get("missing") or ()),
            key=f"mine.missing.{version}",
            placeholder=GUESS,
            help="Texts that stand for a missing value, such as ? or n/a or -999. An empty cell always does.",
        )
    if markers := [mark.strip() for mark in marks.split("|") if mark.strip()]:
        out["missing"] = markers
    return out


def _choose_types(columns: Sequence[Mapping[str, Any]], reading: Mapping[str, Any], version: str) -> dict[str, str]:
    """Draw the columns with examples; return the types that the person chose."""
    types = dict(reading.get("types") or {})
    draw_heading(words.COLUMNS_HEAD, words.COLUMNS_HELP)
    edited = st.data_editor(
        make_table(columns, types),
        hide_index=True,
        key=f"mine.types.{version}",
        height=min(318, 38 + 35 * len(columns)),
        disabled=["column", "is", "why left out", "missing", "different", "examples"],
        column_config={
            "column": st.column_config.TextColumn("column", pinned=True),
            "read as": st.column_config.SelectboxColumn("read as", options=[GUESSED, *TYPES], required=True),
        },
    )
    return list_chosen(columns, list(edited["read as"]))


def make_table(columns: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a column; all cells are text."""
    return pd.DataFrame(
        {
            "column": [format_cell(c["name"]) for c in columns],
            "is": [KINDS.get(c["kind"], c["kind"]) for c in columns],
            "why left out": [format_cell(c.get("why") or "") for c in columns],
            "read as": [types.get(c["name"], GUESSED) for c in columns],
            "missing": [int(c["missing"]) for c in columns],
            "different": [int(c["distinct"]) for c in columns],
            "examples": [" · ".join(map(format_cell, c["examples"])) for c in columns],
        }
    )


def list_chosen(columns: Sequence[Mapping[str, Any]], picked: Sequence[Any]) -> dict[str, str]:
    """Return {column: type} of the types that were chosen; all others stay as guessed."""
    return {str(c["name"]): str(p) for c, p in zip(columns, picked, strict=True) if isinstance(p, str) and p in TYPES}
