"""Test results class by class, with the averages over small and large classes; to read and to take along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import palette
from app.parts import share
from app.words import deep as words
from engine.spec.result import Result

SCORES = {"precision": "precision", "recall": "recall", "f1": "F1", "average_precision": "AP"}
NARROW = {"class": st.column_config.TextColumn(width=130)}
"""Width of the column of names: a long name must not push the numbers out of sight."""
WHOLE = 15
"""Rows that are shown without scrolling."""
GROUPS = {"minority": "mean of the minority classes", "majority": "mean of the majority classes"}


def draw_classes(result: Result, key: str) -> None:
    """Draw the table of results per class, to read and to copy. key: of this table on its page."""
    frame = make_rows(result)
    height: Any = "content" if len(frame) <= WHOLE else 400
    alt = words.SCORES_ALT
    st.dataframe(frame, hide_index=True, alt=alt, column_config=NARROW, height=height)
    if result.averages:
        few = len(result.averages.get("minority", {}).get("classes", []))
        lost = result.spec["imbalance"].get("profile") == "remove"
        those = words.MINORITY_LOST if lost else words.MINORITY_BELOW
        st.caption(words.MINORITY.format(few=few, all=len(result.per_class), those=those))
    caption = f"{alt}, n = {result.n}; {result.interval}"
    share.offer_table(lambda: list_records(result), f"classes-{result.run_id}", f"classes-{key}", caption, text=["class"])


def make_rows(result: Result) -> pd.DataFrame:
    """Return means with intervals as text, one row a class, then the averages."""
    out = []
    for name, values in [*result.per_class.items(), *_list_averages(result)]:
        row: dict[str, Any] = {"class": name}
        for metric, label in SCORES.items():
            value = values.get(metric)
            if isinstance(value, Mapping) and value.get("mean") is not None:
                row[label] = f"{value['mean']:.2f}" + palette.bracket(*_ends(value))
        out.append(row)
    return pd.DataFrame(out)


def list_records(result: Result) -> list[dict[str, Any]]:
    """Return the same as numbers: means, both ends of their intervals, test rows and replicates."""
    out = []
    for name, values in [*result.per_class.items(), *_list_averages(result)]:
        row: dict[str, Any] = {"class": name, "test rows": values.get("support"), "replicates": result.n}
        out.append(row | {label: values.get(metric) for metric, label in SCORES.items()})
    return out


def _list_averages(result: Result) -> list[tuple[str, Mapping[str, Any]]]:
    return [(GROUPS[name], values) for name, values in result.averages.items() if name in GROUPS]


def _ends(value: Mapping[str, Any]) -> tuple[float, float]:
    low, high = (value.get(end) for end in ("low", "high"))
    return (np.nan if low is None else float(low), np.nan if high is None else float(high))
