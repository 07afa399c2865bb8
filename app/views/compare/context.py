"""What the views of Compare are given, the names of places and runs in them, and what a view declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.frame.pieces import Piece
from app.views.compare.sweep_words import Record, name_cell
from app.words import naming
from app.words.text import format_ratio
from engine.spec.result import METRICS
from engine.sweep import SweepSpec


@dataclass(frozen=True)
class View(Piece):
    """A view of Compare. selections: words of the address that it keeps in `Context.chosen`; measured: it has a measure to
    choose."""

    selections: tuple[str, ...] = ()
    measured: bool = True


@dataclass(frozen=True)
class Context:
    """What is shown: the plan, its records (`engine.sweep.table.build_table`) of one metric, the catalog, and where selections are
    kept.

    spec: None where the form has no plan. records: None where no plan is drawn.
    chosen: at (dataset@ratio), curves (ids of runs), run and beside (ids of a run); the page writes them into the address.
    """

    spec: SweepSpec | None
    records: Sequence[Record] | None
    metric: str
    catalog: Mapping[str, Any]
    chosen: dict[str, Any]

    @property
    def label(self) -> str:
        """The metric in words."""
        return METRICS[self.metric][0]

    @property
    def there(self) -> list[Record]:
        """Records with a number."""
        return [r for r in self.records or () if r["mean"] is not None]


def name_place(record: Record) -> str:
    """Return 'Two moons, 20:1'."""
    return f"{record['dataset_title']}, {format_ratio(record['ratio'])}"


def list_places(context: Context) -> dict[str, str]:
    """Return 'dataset@ratio' -> name, of the cells with a number."""
    names = {f"{r['dataset']}@{r['ratio']:g}": name_place(r) for r in context.there}
    return _tell_apart(names)


def list_runs(context: Context) -> dict[str, str]:
    """Return run's id -> 'SMOTE on Two moons at 20:1', of the cells with a number."""
    return _tell_apart({r["run"]: name_cell(r) for r in context.there})


def _tell_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names as visible lines of which no two are equal."""
    shown = naming.label_names(list(dict.fromkeys(names.values())), 90)
    out = {key: shown[name] for key, name in names.items()}
    lines = list(out.values())
    return {key: name if lines.count(name) == 1 else f"{name} ({key})" for key, name in out.items()}


def keep_choice(name: str, key: str) -> Callable[[], None]:
    """Return a callback that keeps a widget's value in `Context.chosen`. name: of the selection; key: the widget's."""

    def take() -> None:
        value = st.session_state[key]
        st.session_state["compare.chosen"][name] = tuple(value) if isinstance(value, list) else value

    return take


def open_view(name: str, **chosen: str) -> None:
    """Open another view at the next whole run of the page. chosen: its selections."""
    st.session_state["compare.chosen"] |= chosen
    st.session_state["compare.open"] = name
