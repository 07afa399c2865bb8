"""The choice of a class by a cost matrix on the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.words import cost_matrix as words
from engine.stats.decide_curves import choose_classes
from tests.engine.decide.made import compared, table


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return compared(table(3))[1]["decide/forest"]


def shown(arrays: dict[str, np.ndarray]) -> AppTest:
    def script(arrays):
        from app.views.data.cost_matrix import draw_matrix

        draw_matrix(arrays, "job.row")

    page = AppTest.from_function(script, kwargs={"arrays": arrays}, default_timeout=30).run()
    assert not page.exception, page.exception
    return page


def test_it_tells_what_the_typed_costs_give(arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown(arrays).text[0].value
    plain = choose_classes(arrays, 1 - np.eye(3))
    assert f"costs {plain['cost']['mean']:,.3g} (from" in said and f"{plain['cost_likeliest']['mean']:,.3g}" in said
    typed = np.array([[0, 1, 1], [1, 0, 1], [20, 20, 0]])

    def edit(frame: pd.DataFrame, **_: Any) -> pd.DataFrame:
        assert list(frame["true"]) == ["x", "y", "z"]
        return frame.assign(**{f"c{k}": typed[:, k] for k in range(3)})

    monkeypatch.setattr(st, "data_editor", edit)
    said, found = shown(arrays).text[0].value, choose_classes(arrays, typed)
    assert f"costs {found['cost']['mean']:,.3g} (from" in said and found["cost"]["mean"] < found["cost_likeliest"]["mean"]
    monkeypatch.setattr(st, "data_editor", lambda frame, **_: frame.assign(c0=np.nan))
    page = shown(arrays)
    assert not page.text and page.caption[-1].value == words.GAPS


def test_two_classes_have_none() -> None:
    page = shown(compared(table(2))[1]["decide/forest"])
    assert not page.expander and not page.caption
