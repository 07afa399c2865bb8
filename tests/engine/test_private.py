"""What a worker does with a table, step by step in this process: profile, comparison, run, and what stays of it."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from engine.data.tables import reading
from engine.errors import BadData
from engine.events import Event, Phase, finish
from engine.executors import private, worker
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.training import network_cache
from tests.engine import fakes


def table(name: str = "mine.csv", rows: int = 60) -> private.Table:
    rng = np.random.default_rng(0)
    lines = ["age,customer,colour,answer"]
    lines += [
        f"{rng.normal() + (n < 15):.3f},id-{n},{'red' if n % 3 else 'blue'},{'yes' if n < 15 else 'no'}" for n in range(rows)
    ]
    return name, "\n".join(lines).encode()


def done(steps: Generator[Event, None, Any]) -> tuple[list[Event], Any, dict[str, bytes]]:
    events: list[Event] = []
    return events, *finish(steps, events.append)


OPTIONS = {"upload": "u", "target": "answer", "positive": None, "reading": {}}


@pytest.fixture(autouse=True)
def _clean():
    yield
    private.forget()


def test_a_profile_is_plain_json():
    events, facts, artifacts = done(private.steps("profile", OPTIONS, table(), run=None, id="j"))
    assert [event.name for event in events if isinstance(event, Phase)] == ["reading", "profile"]
    found = json.loads(artifacts["profile"])
    assert list(artifacts) == ["profile"] and 0 <= facts["seconds"] < 30
    assert found["rows"] == 60 and {c["name"]: c["kind"] for c in found["columns"]}["customer"] == "id"


def test_a_comparison_counts_reading_against_its_budget_and_says_what_was_left_out(monkeypatch):
    heard: dict[str, Any] = {}

    def compare(dataset, spec, **more):
        heard.update(more, dataset=dataset, spec=spec)
        yield Phase("fit", "x")
        return {"methods": [], "data": {"dropped": more["dropped"]}}, {"arrays": b"PK"}

    monkeypatch.setattr("engine.compare.comparison.compare", compare)
    spec = CompareSpec({"upload": "u"}, target="answer", budget=15).to_json()
    events, facts, artifacts = done(private.steps("compare", spec, table(), run=None, id="j"))
    assert heard["spec"] == CompareSpec.from_json(spec) and heard["dataset"].counts.tolist() == [45, 15]
    assert heard["dropped"] == [{"name": "customer", "kind": "id"}] and isinstance(heard["began"], float)
    assert json.loads(artifacts["comparison"])["data"]["dropped"] == heard["dropped"] and artifacts["arrays"] == b"PK"
    assert [event.name for event in events] == ["reading", "fit"] and facts["seconds"] >= 0
    public = CompareSpec({"dataset": "clusters"}, budget=15).to_json()
    done(private.steps("compare", public, None, run=None, id="j"))
    assert heard["dropped"] == [] and heard["dataset"].name == "clusters"


def test_a_run_has_the_id_of_its_job_and_the_table_as_its_data():
    given: dict[str, Any] = {}

    def run(spec, *, device, dataset):
        given.update(spec=spec, device=device, dataset=dataset)
        yield Phase("x", "x")
        return fakes.result(spec), {"a": b"b"}

    spec = RunSpec("upload/u", "ce", data={"target": "answer", "positive": "no", "reading": {}})
    _, result, artifacts = done(private.steps("run", spec.to_json(), table(), run=run, id="0" * 16, device="cpu"))
    assert result.run_id == "0" * 16 and artifacts == {"a": b"b"} and (given["spec"], given["device"]) == (spec, "cpu")
    assert given["dataset"].classes == ("yes", "no") and given["dataset"].numeric_names == ("age",)


@pytest.mark.parametrize(
    ("kind", "spec", "sent", "said"),
    [
        ("profile", OPTIONS, None, "no longer here"),
        ("run", RunSpec("upload/u", "ce", data={"target": "answer"}).to_json(), None, "no longer here"),
        ("profile", OPTIONS, ("a.csv", b"%PDF-1.7 \x00\xff"), "a PDF"),
        ("profile", OPTIONS | {"reading": {"delimiter": 7}}, table(), "delimiter"),
        ("compare", CompareSpec({"upload": "u"}, target="nothing", budget=15).to_json(), table(), "nothing"),
    ],
)
def test_what_cannot_be_is_one_sentence(kind, spec, sent, said):
    with pytest.raises(BadData, match=said) as caught:
        done(private.steps(kind, spec, sent, run=None, id="j"))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_table_is_read_once_and_its_sheet_goes_with_the_next_one(monkeypatch):
    read: list[str] = []
    real = reading.read_sheet
    monkeypatch.setattr(
        reading, "read_sheet", lambda data, name, options, **how: (read.append(name), real(data, name, options, **how))[1]
    )
    for spec in (OPTIONS, OPTIONS | {"target": None}, OPTIONS):
        done(private.steps("profile", spec, table(), run=None, id="j"))
    assert read == ["mine.csv"] and len(private._sheets) == 1
    done(private.steps("profile", OPTIONS | {"reading": {"header": True}}, table(), run=None, id="j"))
    done(private.steps("profile", OPTIONS, table("other.csv"), run=None, id="j"))
    assert read == ["mine.csv", "mine.csv", "other.csv"] and len(private._sheets) == 1


def test_a_worker_lets_go_of_a_table_before_it_takes_up_something_else():
    done(private.steps("profile", OPTIONS, table(), run=None, id="j"))
    network_cache._kept["a network"] = None  # type: ignore[assignment]
    worker._let_go()
    assert private._sheets == {} and not network_cache._kept
