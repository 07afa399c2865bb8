"""What a person asks of a comparison: checked on construction, JSON-plain, and part of the comparison's name."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.errors import BadParameter
from engine.methods import methods
from engine.spec import Imbalance, contest
from engine.spec.companions import BASELINE
from engine.spec.comparison import ENSEMBLES, CompareSpec
from engine.spec.contest import list_contenders, list_rows
from tests.engine.contenders import CATALOG, CONTENDERS

SOURCE = {"upload": "u1"}


def names(**asked):
    return [row.name for row in list_rows(CompareSpec(SOURCE, **asked), CATALOG)]


def test_every_method_for_tables_can_be_compared_and_no_oracle():
    offered = [BASELINE, "class-weights", "threshold", "smote", "focal", "explicit-gradient", "eos", "dos", "rs", "rus"]
    assert list(CONTENDERS)[:10] == offered and "potential" not in CONTENDERS
    known = methods()
    assert {name for name, m in known.items() if m.ranked and "tabular" in m.kinds} <= set(CONTENDERS)
    assert all(known[name].title == title for name, title in CONTENDERS.items() if name in known)
    assert CONTENDERS["forest+smote"] == "Random forest + SMOTE" and "balanced-forest+smote" not in CONTENDERS
    assert list_contenders({"methods": [{"name": "ce", "title": "CE"}]}) == {"ce": "CE"}  # an older engine's catalog


def test_the_rows_of_a_comparison():
    plain = [BASELINE, "logistic", "forest", "extra-trees", "boosting"]
    usual = names()
    assert usual[:7] == [*plain, "balanced-forest", "self-paced"] and {"boosting+smote", "eos", "rus"} <= set(usual)
    assert "forest+threshold" not in usual and "forest+threshold" in names(metric="f1")  # it ranks as plain does
    assert not any("+" in name for name in names(budget=10)) and "balanced-forest" not in names(budget=10)
    assert set(names(budget=600)) >= {"easy-ensemble", "rus-boost", "balanced-bagging"}
    assert not set(names(budget=600)) & {"under-bagging", "balance-cascade", "smote-bagging"}  # on demand
    assert names(models=(), ensembles=("smote-bagging",)) == ["smote-bagging"]
    assert names(models=("forest",), remedies=("smote", "eos"), ensembles=()) == ["forest", "forest+smote"]
    assert names(models=("network",), remedies=("none", "ldam"), ensembles=("self-paced",)) == [BASELINE, "self-paced", "ldam"]
    assert names(methods=("trees", "smote")) == [BASELINE, "boosting", "smote"]
    assert names(methods=("forest+smote",)) == [BASELINE, "forest", "forest+smote"]
    both = names(models=("forest", "network"), ensembles=(), methods=("swim", "boosting"))
    assert set(both) == {
        *names(models=("forest", "network"), ensembles=()),
        "swim",
        "boosting",
    }  # besides, and no remedies of theirs
    rows = list_rows(CompareSpec(SOURCE), CATALOG, in_use=True)
    assert rows[-1].name == rows[-1].model == "in use" and rows[-1].plain == "in use"
    by_name = {row.name: row for row in rows}
    assert (by_name["smote"].model, by_name["smote"].remedy, by_name["smote"].plain) == ("network", "smote", BASELINE)
    assert (by_name["forest+smote"].model, by_name["forest+smote"].plain) == ("forest", "forest")
    assert by_name["self-paced"].plain == "self-paced" and by_name["self-paced"].remedy == "none"


def test_models_that_a_person_installed():
    spec = CompareSpec(SOURCE, models=("lightgbm",), remedies=("class-weights",), ensembles=())
    rows = list_rows(spec, CATALOG, installed={"lightgbm": "4.6.0"})
    assert [(row.name, row.title) for row in rows] == [
        ("lightgbm", "LightGBM 4.6.0"),
        ("lightgbm+class-weights", "LightGBM 4.6.0 + class weights"),
    ]
    assert "lightgbm" in [row.name for row in list_rows(CompareSpec(SOURCE), CATALOG, installed={"lightgbm": "4.6.0"})]
    with pytest.raises(BadParameter, match=r"^LightGBM is not installed here; install it, or leave it out\.$"):
        list_rows(spec, CATALOG)
    with pytest.raises(BadParameter, match="TabPFN runs here only where it is installed and its weights are on this machine"):
        list_rows(CompareSpec(SOURCE, models=("tabpfn",)), CATALOG)
    for wrong in ({"models": ("oak",)}, {"ensembles": ("all",)}):
        with pytest.raises(BadParameter, match=f"^{next(iter(wrong))}: '.*' is not known here; there are: "):
            list_rows(CompareSpec(SOURCE, **wrong), CATALOG)
        with pytest.raises(BadParameter, match="is not known here"):
            CompareSpec(SOURCE, **wrong).complete(CATALOG)
    with pytest.raises(BadParameter, match="'potential' is not known here"):
        list_rows(CompareSpec(SOURCE, remedies=("potential",)), CATALOG)


def test_tabpfn_counts_only_with_its_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(contest.metadata, "version", lambda name: "9.9")
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path))
    assert contest.find_installed() == {"lightgbm": "9.9", "xgboost": "9.9", "catboost": "9.9"}
    (tmp_path / "tabpfn-v2-classifier.ckpt").write_bytes(b"weights")
    assert "tabpfn" in contest.find_installed()


def test_rows_of_earlier_results_have_a_model():
    assert contest.read_model({"name": "trees"}) == "boosting" and contest.read_remedy({"name": "trees"}) == "none"
    assert contest.read_model({"name": "smote"}) == "network" and contest.read_remedy({"name": "smote"}) == "smote"
    assert contest.read_remedy({"name": "ce"}) == "none"


def test_plain_training_is_always_there():
    assert CompareSpec(SOURCE, methods=("smote",)).methods == (BASELINE, "smote")
    assert CompareSpec(SOURCE, methods=("trees", "ce", "smote", "trees")).methods == (BASELINE, "trees", "smote")


def test_the_catalog_orders_the_methods_and_knows_their_names():
    spec = CompareSpec(SOURCE, methods=("trees", "ce", "smote"))
    assert spec.complete(CATALOG) == replace(spec, methods=(BASELINE, "smote", "trees"))
    assert CompareSpec(SOURCE).complete(CATALOG).to_json()["methods"] is None
    for name in ("potential", "no such method"):
        with pytest.raises(
            BadParameter, match=f"'{name}' is not compared here; it must be one of ce, class-weights, .*, {ENSEMBLES[-1]}.$"
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
