"""The choice of a class by a typed cost matrix, for tables with several classes. Read from the comparison's test rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app.words import cost_matrix as words
from app.words.naming import BLANK
from engine.stats.decide import read_about
from engine.stats.decide_curves import choose_classes
from engine.text import one_line

MOST_CLASSES = 12


def draw_matrix(arrays: Mapping[str, np.ndarray], key: str) -> None:
    """Draw the matrix and what follows from it; nothing where the table has two classes. key: of the row of the board."""
    if "class_p" not in arrays:
        return
    names = [one_line(name, 24) or BLANK for name in read_about(arrays)["classes"]]
    with st.expander(words.TITLE):
        if len(names) > MOST_CLASSES:
            st.caption(words.TOO_MANY.format(most=MOST_CLASSES, n=len(names)))
            return
        st.caption(words.HOW)
        edited = st.data_editor(
            make_table(names, 1.0 - np.eye(len(names))),
            hide_index=True,
            key=f"data.costs.{key}",
            disabled=["true"],
            column_config=_configure(names, words.CHOSEN, editable=True),
        )
        cost = edited.drop(columns="true").to_numpy(float)
        if not np.isfinite(cost).all():
            st.caption(words.GAPS)
            return
        found = choose_classes(arrays, cost)
        said = [words.SAID.format(cost=_write(found["cost"])), words.BESIDE.format(cost=_write(found["cost_likeliest"]))]
        st.text(" ".join(said))
        st.caption(words.COUNTS)
        st.dataframe(
            make_table(names, found["table"].round(1)),
            hide_index=True,
            column_config=_configure(names, words.CHOSEN, editable=False),
        )


def make_table(names: Sequence[str], values: np.ndarray) -> pd.DataFrame:
    """Return one row a true class: its name, then a number for each chosen class, columns c0, c1, ..."""
    return pd.DataFrame({"true": list(names)} | {f"c{k}": values[:, k] for k in range(len(names))})


def _configure(names: Sequence[str], label: str, *, editable: bool) -> dict[str, st.column_config.Column]:
    number = {
        f"c{k}": st.column_config.NumberColumn(label.format(label=name), required=editable) for k, name in enumerate(names)
    }
    return {"true": st.column_config.TextColumn(words.TRUE, pinned=True), **number}


def _write(one: Mapping[str, float]) -> str:
    mean = f"{one['mean']:,.3g}"
    if not math.isfinite(one["low"]):
        return mean
    return words.FROM_TO.format(mean=mean, low=f"{one['low']:,.3g}", high=f"{one['high']:,.3g}")
