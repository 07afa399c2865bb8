"""The choice of a cut on the page, over comparisons made by hand: its verdict, what the component is sent, and what comes back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import app.decide as component
from app.session import visitor
from app.views.data import decide, reasons, use
from app.words import decide as words
from engine.stats.decide import Rule, read_about, read_decide
from engine.store import Store
from tests.app import decided, tables
from tests.app.conftest import opened
from tests.engine import comparisons
from tests.engine.hostile import Page

HOSTILE = "<img src=x onerror=alert(1)>"
Look = Callable[..., AppTest]


@pytest.fixture
def look(store: Store, monkeypatch: pytest.MonkeyPatch) -> Look:
    """The Decide step of a comparison, as its owner sees it."""
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.OWNER)

    def run(job: str, /, step: str = "decide", **state: Any) -> AppTest:
        return opened("data", state, compare=job, step=step)

    return run


@pytest.fixture
def table(store: Store) -> str:
    id = tables.upload(store)
    tables.profiled(store, id, target="left", positive="yes")
    return id


def title(page: AppTest) -> str:
    return next(Page(str(h.proto.body)).text for h in page.get("html") if "<h1" in str(h.proto.body))


def sent(page: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the component was sent."""
    return component.decode_decide(payload(page))


def payload(page: AppTest) -> bytes:
    found = [e.proto for e in page.get("bidi_component") if e.proto.component_name.startswith("labdecide.")]
    assert len(found) == 1
    return bytes(found[0].bytes)


def tell(page: AppTest, job: str, name: str, choice: component.Choice) -> AppTest:
    """The page after the component told a choice."""
    page.session_state["data.choices"] = {(job, name): choice}
    page.run()
    assert not page.exception, page.exception
    return page


def test_the_verdict_is_what_the_cut_of_the_comparison_gives(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table)
    page = look(job.id)
    read = read_decide(decided.cuts(name="trees", signal=2.6))["readings"]
    alerts, right, found = (
        f"{v:.3g}" for v in (read["alerts"]["mean"], 100 * read["precision"]["mean"], 100 * read["recall"]["mean"])
    )
    assert title(page) == (
        f'At {alerts} alerts per 1,000, {float(right):.0f} of 100 alerts are right and {float(found):.0f} of 100 "yes" rows are found.'
    )
    head, arrays = sent(page)
    assert head["choice"]["rule"] == "alerts" and head["choice"]["alerts"] == 5 and head["replicates"] == 6
    assert head["beside"] == "Plain training" and head["positive"] == "yes" and head["others"] == "no"
    assert arrays["row/cut"].dtype == np.float64 and len(arrays["row/ends"]) == 7
    said = {kind["name"]: kind["said"] for kind in head["kinds"]}
    assert sum("lowest log loss" in text for text in said.values()) == 1 and set(said) <= set(words.KINDS)


@pytest.mark.parametrize(
    ("change", "rule", "share"),
    [
        ({"rule": "recall", "recall": 0.7}, Rule("recall", 0.7), None),
        ({"rule": "cost", "miss": 30.0, "alarm": 2.0}, Rule("cost", miss=30.0, alarm=2.0), 0.001),
        ({"rule": "hand", "cut": 0.3}, Rule("hand", 0.3), 0.005),
        ({"rule": "f-beta", "beta": 2.0}, Rule("f-beta", 2.0), None),
    ],
)
def test_a_choice_of_the_browser_is_read_as_the_engine_reads_it(
    store: Store, look: Look, table: str, change: dict[str, Any], rule: Rule, share: float | None
) -> None:
    job = decided.compared(store, table)
    arrays = decided.cuts(name="trees", signal=2.6)
    first = component.choose_first(read_about(arrays))
    choice = component.read_choice(asdict(replace(first, share=share or first.share, **change)), read_about(arrays))
    assert choice is not None
    page = tell(look(job.id), job.id, "trees", choice)
    read = read_decide(arrays, rule=rule, share=share, calibration=choice.kind)["readings"]
    assert f"{100 * read['recall']['mean']:.0f} of 100" in title(page) and title(page).startswith("At ")


def test_a_target_that_no_cut_reaches_shows_no_counts(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table, signal=0.3)
    first = component.choose_first(read_about(decided.cuts(signal=0.3)))
    page = tell(look(job.id), job.id, "trees", replace(first, rule="precision", precision=0.95))
    assert title(page) == "No cut reaches precision .95."
    page = tell(page, job.id, "trees", replace(first, rule="hand", cut=1.0))
    assert title(page) == "No row is flagged at this cut."


@pytest.mark.parametrize(
    "wrong",
    [
        None, 5, {}, {"rule": "none"}, {"share": 0.5}, {"share": 1e-6}, {"share": float("nan")}, {"alerts": -1.0}, {"alerts": 5000.0},
        {"kind": "other"}, {"unit": "owner"}, {"per": "day"}, {"column": True}, {"column": 1}, {"recall": "0.5"},
        {"miss": 0.0, "alarm": 0.0},
        {"cut": 1.5, "rule": "hand"}, {"beta": True},
    ],
)  # fmt: skip
def test_what_is_no_choice_is_not_taken(wrong: Any) -> None:
    about = read_about(decided.cuts())
    first = component.choose_first(about)
    assert component.read_choice(asdict(first), about) == first
    rule = {"alerts": "alerts", "miss": "cost"}.get(next(iter(wrong), "")) if isinstance(wrong, dict) else None
    said = {**asdict(first), **({"rule": rule} if rule else {}), **wrong} if isinstance(wrong, dict) and wrong else wrong
    assert component.read_choice(said, about) is None


def test_a_browser_keeps_its_choice_while_the_data_stay(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table)
    page = look(job.id)
    head, _ = sent(page)
    moved = replace(component.choose_first(read_about(decided.cuts())), alerts=9.0)
    later, _ = sent(tell(page, job.id, "trees", moved))
    assert later["version"] == head["version"] and later["choice"]["alerts"] == 9.0
    page.selectbox(key="data.method").select("smote").run()
    assert sent(page)[0]["version"] != head["version"]


def test_intervals_in_the_browser_have_the_same_width(store: Store) -> None:
    about, arrays = read_about(decided.cuts()), decided.cuts()
    head = component.describe(
        arrays, about, component.choose_first(about), title="t", positive="yes", others="no", cost_name=None
    )
    from engine.stats.intervals import corrected_t

    values = np.array([0.2, 0.5, 0.4, 0.3])
    one = corrected_t(values, about["test_share"])
    assert head["factors"][4] * values.std(ddof=1) == pytest.approx(one.mean - one.low)


def test_an_earlier_comparison_shows_what_it_has_and_says_what_comparing_again_adds(
    store: Store, look: Look, table: str
) -> None:
    job = tables.compared(store, table)
    page = look(job.id)
    assert title(page).startswith("At ") and any(words.OLD in str(c.value) for c in page.caption)
    assert any(words.WHY_NONE in str(c.value) for c in page.caption)
    head, arrays = sent(page)
    assert head["replicates"] == 1 and [kind["name"] for kind in head["kinds"]] == ["as trained"]
    found = Page(title(page)).text
    assert "of 100 alerts are right" in found
    total = arrays["row/test_tp"].sum() + arrays["row/test_fp"].sum()
    assert total == pytest.approx(1200) and arrays["row/test_tp"].sum() == pytest.approx(90)


def test_a_table_of_an_earlier_version_reads_as_before() -> None:
    from engine.stats import thresholds

    found, arrays = comparisons.comparison()
    table = comparisons.tables(found, arrays)["trees"]
    read = decide.convert_table(table, "trees")
    about = read_about(read)
    for at in (0.2, 0.5, 0.8):
        cut = float(table["grid"][np.abs(table["grid"] - at).argmin()])
        old = thresholds.counts_at(table, cut)
        new = read_decide(read, rule=Rule("hand", cut))["readings"]
        assert new["precision"]["mean"] == pytest.approx(old["precision"]) and new["recall"]["mean"] == pytest.approx(
            old["recall"]
        )
        assert math.isnan(new["precision"]["low"])
    assert about["share"] == pytest.approx(90 / 1200)


def test_a_comparison_without_cuts_says_so(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table, names=())
    assert title(look(job.id)) == words.NO_CUTS


def test_a_cut_that_is_taken_opens_the_last_step_with_its_row(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table)
    arrays = decided.cuts()
    about = read_about(arrays)
    first = component.choose_first(about)
    taken = decide.take_cut(job.id, "trees", about, first, decide.read_cut(arrays, about, first))
    assert taken is not None and taken.rule["kind"] == "alerts" and taken.rule["value"] == 5.0
    page = look(job.id)
    page.session_state["data.cut-taken"] = taken
    page.session_state["data.go-use"] = True
    page.run()
    assert not page.exception
    assert dict(page.query_params.items())["step"] in (["use"], "use")
    assert page.session_state["data.take"] == "trees"
    assert page.session_state["data.score-alerts"] == 5.0 and "5 per 1,000" in use.write_facts({}, "trees", taken)
    daily = replace(taken, alerts=431.0, rule=Rule("alerts", 3.0, "day").to_json())
    assert "3 a day" in use.write_facts({}, "trees", daily)
    made = {"provenance": {"scikit_learn": "1.9.1", "torch": "2.13.0"}}
    assert "scikit-learn 1.9.1" in use.write_facts(made, "trees", None) and "torch 2.13" in use.write_facts(made, "smote", None)


def test_a_cut_taken_at_another_share_flags_the_same_rows_at_the_tables() -> None:
    arrays = decided.cuts()
    about = read_about(arrays)
    choice = replace(component.choose_first(about), share=0.002, rule="hand", cut=0.2, kind="sigmoid")
    found = decide.read_cut(arrays, about, choice)
    taken = decide.take_cut("j", "trees", about, choice, found)
    assert taken is not None and taken.rule["kind"] == "hand" and taken.rule["value"] > 0.2
    again = read_decide(arrays, rule=Rule(**taken.rule), calibration="sigmoid")["readings"]
    assert again["recall"]["mean"] == pytest.approx(found["readings"]["recall"]["mean"], abs=0.03)
    none = replace(choice, cut=1.0)
    assert decide.take_cut("j", "trees", about, none, decide.read_cut(arrays, about, none)) is None


# ---- why and for whom


def test_reasons_are_drawn_with_hostile_names_as_text(store: Store, look: Look, table: str) -> None:
    job = decided.compared(store, table, result=decided.why(HOSTILE))
    page = look(job.id)
    for name in words.WHY_TABS:
        page.session_state["data.why"] = words.WHY_TABS[name]
        page.run()
        assert not page.exception, page.exception
        data = [e.proto for e in page.get("bidi_component") if e.proto.component_name.startswith("labmarks.")]
        body = json.loads(data[-1].json)["html"]
        read = Page(body)
        assert [tag for tag, _ in read.elements if tag in ("img", "script")] == []
        assert HOSTILE.split("=")[0] in read.text or name == "made"
    assert "12%" in read.text and "150 made rows" in body


def test_groups_that_are_small_are_said_to_be_small() -> None:
    body = reasons.draw_groups(decided.why()["groups"])
    read = Page(body)
    assert read.text.count(words.GROUP_SMALL) == 1 and "Bonn" in read.text and "2%" in read.text
    assert body.count("<tr class=small>") == 1


def test_what_is_missing_of_reasons_is_left_out() -> None:
    assert (
        reasons.draw_importance([], "f1") == "" and reasons.draw_dependence([{"column": "a", "at": [1], "mean": [0.1]}]) == ""
    )
    one = {"column": "a", "kind": "number", "at": [1.0, 2.0], "mean": [0.1, 0.2], "low": [None, None], "high": None}
    assert "polyline" in reasons.draw_dependence([one]) and "polygon" not in reasons.draw_dependence([one])
    assert reasons.draw_unsafe({"smote": {"share": None}}, {}) == ""
    text = Page(
        reasons.draw_suspects({"suspects": [], "suspects_found": 0, "suspects_tested": 200, "suspects_by_chance": 0.01})
    ).text
    assert words.SUSPECTS_NONE in text and "2.0" in text
