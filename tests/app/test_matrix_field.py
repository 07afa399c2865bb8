"""A matrix of costs on the form: a grid of cells, kept as text, which links and presets change."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.methods.cost_sensitive import CostSensitive
from engine.spec import fields

COSTS = next(d for d in fields.describe(CostSensitive) if d["name"] == "costs")
KEY = "p.x.costs"


def page(classes: list[str], text: str = "") -> AppTest:
    def script(described, classes):  # type: ignore[no-untyped-def]
        import streamlit as st

        from app.form.fields import draw_fields

        values, wrong = draw_fields([described], "p.x", "x", classes)
        st.session_state["found"] = (values, wrong)

    app = AppTest.from_function(script, kwargs={"described": COSTS, "classes": classes}, default_timeout=30)
    app.session_state[KEY] = text
    app.run()
    assert not app.exception, app.exception
    return app


def found(app: AppTest) -> Any:
    values, wrong = app.session_state["found"]
    assert not wrong, wrong
    return values["costs"]


def test_no_costs_are_typed_at_first_and_then_a_grid_begins_with_ones() -> None:
    app = page(["a", "b"])
    assert found(app) == [] and not app.number_input
    app.toggle[0].set_value(True).run()
    assert [cell.label for cell in app.number_input] == ["a", "b", "a", "b"]
    assert [caption.value for caption in app.caption][-2:] == ["a, called", "b, called"]
    assert [cell.disabled for cell in app.number_input] == [True, False, False, True]
    assert found(app) == [[0, 1], [1, 0]]
    app.number_input[2].set_value(5.0).run()
    assert found(app) == [[0, 1], [5, 0]] and app.session_state[KEY] == "0 1; 5 0"
    app.run()
    assert found(app) == [[0, 1], [5, 0]]
    app.toggle[0].set_value(False).run()
    assert found(app) == [] and app.session_state[KEY] == ""


def test_a_link_fills_the_cells_and_a_later_one_changes_them() -> None:
    app = page(["a", "b"], "0 2; 7.5 0")
    assert found(app) == [[0, 2], [7.5, 0]] and [cell.value for cell in app.number_input] == [0, 2, 7.5, 0]
    app.session_state[KEY] = "0 3; 4 0"
    app.run()
    assert found(app) == [[0, 3], [4, 0]] and app.number_input[2].value == 4


def test_a_class_that_costs_nothing_is_said() -> None:
    app = page(["a", "b"], "0 2; 7 0")
    app.number_input[2].set_value(0.0).run()
    values, wrong = app.session_state["found"]
    assert values == {} and "row 2 needs a cost above 0" in wrong[0]
    app.number_input[2].set_value(3.0).run()
    assert found(app) == [[0, 2], [3, 0]]


@pytest.mark.parametrize("classes", [11, 1])
def test_many_classes_are_typed_as_text(classes: int) -> None:
    app = page([str(c) for c in range(classes)], "0 2; 7 0")
    assert len(app.text_input) == 1 and not app.number_input and found(app) == [[0, 2], [7, 0]]


def test_costs_of_another_number_of_classes_begin_anew() -> None:
    app = page(["a", "b", "c"], "0 2; 7 0")
    assert found(app) == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
