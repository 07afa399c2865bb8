"""What a person asks of a comparison: checked on construction, JSON-plain, and part of the comparison's name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.errors import BadParameter
from engine.methods import methods
from engine.spec import Imbalance
from engine.spec.companions import BASELINE
from engine.spec.comparison import CompareSpec
from engine.spec.contest import list_contenders
from tests.engine.contenders import CATALOG, CONTENDERS, TREES

SOURCE = {"upload": "u1"}


def test_every_method_is_compared_and_no_oracle():
    assert list(CONTENDERS)[:9] == [
        BASELINE, "class-weights", "threshold", "smote", "focal", "explicit-gradient", "eos", "dos", TREES,
    ]  # fmt: skip
    assert "potential" not in CONTENDERS
    assert list_contenders({"methods": [{"name": "ce", "title": "CE"}]}) == {
        TREES: CONTENDERS[TREES]
    }  # an older engine's catalog
    known = methods()
    for name in set(CONTENDERS) - {TREES}:
        assert known[name].ranked and "tabular" in known[name].kinds and CONTENDERS[name] == known[name].title


def test_plain_training_is_always_there():
    assert CompareSpec(SOURCE, methods=("smote",)).methods == (BASELINE, "smote")
    assert CompareSpec(SOURCE, methods=("trees", "ce", "smote", "trees")).methods == (BASELINE, TREES, "smote")


def test_the_catalog_orders_the_methods_and_knows_their_names():
    spec = CompareSpec(SOURCE, methods=("trees", "ce", "smote"))
    assert spec.complete(CATALOG) == replace(spec, methods=(BASELINE, "smote", TREES))
    assert CompareSpec(SOURCE).complete(CATALOG).to_json()["methods"] is None
    for name in ("potential", "no such method"):
        with pytest.raises(
            BadParameter, match=f"'{name}' is not compared here; it must be one of ce, class-weights, .*, trees.$"
        ):
            CompareSpec(SOURCE, methods=(name,)).complete(CATALOG)


def test_it_goes_through_json():
    reading = {"delimiter": ";", "types": {"a": "numeric"}}
    spec = CompareSpec(SOURCE, "left", "yes", reading=reading, budget=15, ratio=20, methods=("eos",), metric="mcc", seed=3)
    words = json.loads(json.dumps(spec.to_json()))
    assert CompareSpec.from_json(words) == spec
    reading["delimiter"] = ","
    assert spec.reading["delimiter"] == ";"  # frozen inside too
    assert spec.imbalance == Imbalance("ratio", 20.0) and CompareSpec(SOURCE).imbalance == Imbalance()


def test_its_id_changes_with_all_that_matters():
    base = CompareSpec(SOURCE, "left")
    others = [
        CompareSpec({"upload": "u2"}, "left"), CompareSpec(SOURCE, "right"), CompareSpec(SOURCE, "left", "yes"),
        CompareSpec(SOURCE, "left", budget=15), CompareSpec(SOURCE, "left", ratio=10), CompareSpec(SOURCE, "left", seed=1),
        CompareSpec(SOURCE, "left", metric="f1"), CompareSpec(SOURCE, "left", methods=("eos",)),
        CompareSpec(SOURCE, "left", reading={"decimal": ","}),
    ]  # fmt: skip
    ids = [s.id("rows", "me") for s in (base, *others)] + [base.id("rows", "you"), base.id("other rows", "me"), base.id("rows")]
    assert len(set(ids)) == len(ids) and all(len(i) == 16 for i in ids)
    assert CompareSpec(SOURCE, "left", budget=60.0).id("rows", "me") == CompareSpec(SOURCE, "left", budget=60).id("rows", "me")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"source": {}}, "source"), ({"source": {"upload": "a", "dataset": "b"}}, "source"), ({"source": {"url": "x"}}, "source"),
        ({"source": {"upload": 3}}, "must name"), ({"source": "x"}, "source"), ({"target": 3}, "target must be text"),
        ({"positive": True}, "positive must be text"), ({"reading": [1]}, "reading"), ({"budget": 4.9}, r"\[5, 3600\] seconds"),
        ({"budget": 3601}, "budget"), ({"budget": float("nan")}, "budget"), ({"budget": "60"}, "budget"), ({"budget": True}, "budget"),
        ({"ratio": 0.5}, "ratio"), ({"ratio": 1e9}, "ratio"), ({"ratio": float("nan")}, "ratio"), ({"metric": "accuracy"}, "metric"),
        ({"seed": -1}, "seed"), ({"seed": 1.5}, "seed"), ({"methods": "eos"}, "list"), ({"methods": {"eos": 1}}, "list"),
        ({"methods": [3]}, "list"), ({"extra": 1}, "no field 'extra'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(words, says):
    with pytest.raises(BadParameter, match=says) as caught:
        CompareSpec.from_json({"source": SOURCE} | words)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", {}, {"target": "y"}])
def test_what_is_no_comparison(value):
    with pytest.raises(BadParameter):
        CompareSpec.from_json(value)
