"""What the URL says: every view has a link, every link is read back, a faulty one is explained."""

from __future__ import annotations

from typing import Any

import pytest

from app.session import lab_address
from app.session.lab_address import LabAddress
from app.session.store import read_catalog
from engine.catalog import build_catalog
from engine.spec import Imbalance, RunSpec
from engine.spec.points import encode_points
from tests.app import fabricate
from tests.app.fabricate import catalog, spec

USUAL = spec()
RUN = "0123456789abcdef"


@pytest.mark.parametrize(
    "asked",
    [
        LabAddress(USUAL),
        LabAddress(spec("glass2", "smote", None), run=RUN),
        LabAddress(spec("glass2", ratio=None, folds=4, seeds=5, seed=7), "cuda", RUN, 3),
        LabAddress(spec(data={"rows": 333, "noise": 0.35}, params={"eta_points": 12.5, "hidden": [8], "reset": True})),
        LabAddress(spec("wine", "ce", None).with_(imbalance=Imbalance("remove", rate=0.85))),
        LabAddress(spec("moons", "ce").with_(imbalance=Imbalance("step", 12.34, where="all"))),
        LabAddress(spec().with_(points=encode_points([(0.42, 1.1), (-3.0, 0.001)])), run=RUN, view="both", beside="ce"),
    ],
)
@pytest.mark.parametrize(
    "fallback", [USUAL, spec("wine", "ce", None, seed=5), spec(data={"rows": 100}, params={"copies": 2.0})]
)
def test_every_view_has_a_link_that_gives_it_back(asked: LabAddress, fallback: RunSpec) -> None:
    back = lab_address.read_address(lab_address.write_address(asked, catalog()), catalog(), fallback)
    assert back == asked and back.problems == ()


def test_nothing_asked_is_the_fallback() -> None:
    assert lab_address.read_address({}, catalog(), USUAL) == LabAddress(USUAL)


def test_a_link_with_a_ratio_for_a_set_with_a_share_of_its_own_is_followed_without_it() -> None:
    whole = build_catalog()
    usual = RunSpec("moons", "ce", Imbalance("ratio", 20)).complete(whole)
    for query in ({"ratio": "50"}, {"folds": "4"}, {"profile": "native", "folds": "10"}):
        back = lab_address.read_address({"dataset": "hidden-cluster", **query}, whole, usual)
        assert (back.spec.dataset, back.spec.imbalance, back.spec.folds) == ("hidden-cluster", Imbalance(), 1)
        assert back.problems == ("This set has its own share of 3%. It is used as it comes, with one fold.",)
    asked = LabAddress(RunSpec("hidden-cluster", "ce", data={"given": 0.5}, seeds=20, seed=1).complete(whole))
    assert lab_address.read_address(lab_address.write_address(asked, whole), whole, usual) == asked


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"dataset": "nope"}, "dataset='nope'"),
        ({"method": "<img src=x>"}, "method='<img src=x>'"),
        ({"folds": "0"}, "folds='0'"),
        ({"seeds": "many"}, "seeds='many'"),
        ({"seed": "9" * 400}, "seed="),
        ({"profile": "steep"}, "profile='steep'"),
        ({"ratio": "0.2"}, "ratio in [1, 500]"),
        ({"ratio": "nan"}, "imbalance is not possible"),
        ({"ratio": "x"}, "imbalance is not possible"),
        ({"dataset": "glass2", "ratio": "400"}, "more than glass2 can give"),
        ({"rate": "2"}, "rate between 0 and 1"),
        ({"run": "../../etc"}, "16 of the letters"),
        ({"p.eta_points": "-1"}, "must be a number in [0, 100000]"),
        ({"p.nothing": "1"}, "no parameter 'nothing'"),
        ({"d.rows": "1e9"}, "must be a whole number"),
        ({"what": "1"}, "'what'"),
        ({"device": "tpu"}, "device='tpu'"),
        ({"replicate": "-1"}, "replicate='-1'"),
    ],
)
def test_a_faulty_word_is_said_and_the_rest_is_kept(query: dict[str, str], said: str) -> None:
    asked = lab_address.read_address(query | {"seeds": query.get("seeds", "3")}, catalog(), USUAL)
    assert len(asked.problems) == 1 and said in asked.problems[0], asked.problems
    assert asked.run is None and asked.spec.complete(catalog()) == asked.spec
    if "seeds" not in query:
        assert asked.spec.seeds == 3


def test_a_ratio_too_high_is_lowered_to_what_the_data_give() -> None:
    made = lab_address.read_address({"dataset": "glass2", "ratio": "400"}, catalog(), USUAL).spec.imbalance
    assert made.profile == "ratio" and 1 < (made.ratio or 0) < 400


def test_a_link_is_not_changed_by_what_a_first_visitor_sees() -> None:
    words = lab_address.write_address(LabAddress(USUAL), catalog())
    other = spec(data={"noise": 0.9}, params={"eta_points": 1.0})
    assert lab_address.read_address(words, catalog(), other).spec == USUAL


def test_the_first_form_is_the_examples_or_what_the_catalog_has() -> None:
    shown = spec("glass2", ratio=None, seed=4, folds=4, seeds=5)
    assert lab_address.first_spec(catalog(), shown) == shown
    gone = RunSpec("gone", "ce")
    plain: dict[str, Any] = catalog()
    first = lab_address.first_spec(plain, gone)
    assert first == lab_address.first_spec(plain) and first.method == "explicit-gradient" and first.dataset == "moons"
    assert first.imbalance == Imbalance("ratio", 20.0)


def test_the_committed_catalog_makes_a_form_without_an_engine(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store), "catalog", lambda self: None)
    found = read_catalog()
    assert {"explicit-gradient", "ce", "potential"} <= {m["name"] for m in found["methods"]}
    assert lab_address.first_spec(found).complete(found) == lab_address.first_spec(found)


def test_fabricated_catalog_has_the_shape_of_the_real_one(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store), "catalog", lambda self: None)
    real, small = read_catalog(), fabricate.catalog()
    for kind in ("methods", "datasets"):
        assert set(real[kind][0]) <= set(small[kind][0])


@pytest.mark.parametrize(
    "query", [{"pts": "AAAA"}, {"pts": "x" * 400}, {"pts": "AKQBTAQ", "dataset": "glass2", "method": "ce"}]
)
def test_points_that_cannot_be_added_are_left_out_and_said(query: dict[str, str]) -> None:
    made = lab_address.read_address({"dataset": "moons", **query}, catalog(), USUAL)
    assert made.spec.points == "" and "added points are left out" in made.problems[-1]


def test_a_view_that_there_is_not_is_the_usual_one() -> None:
    made = lab_address.read_address({"view": "upside-down"}, catalog(), USUAL)
    assert made.view == "moving" and len(made.problems) == 1
