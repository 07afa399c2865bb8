"""A row of a comparison trained on all rows: by what its replicates chose, with their calibration and cut, and what they promised."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import engine
from engine.compare.all_rows import OLD, train_row
from engine.compare.decision import build_decision
from engine.data.prepare import encode, fit_scale
from engine.decide.build import Scored, build_arrays
from engine.errors import BadInput, BadParameter
from engine.events import finish, unpack
from engine.methods import method
from engine.spec.refit import RefitSpec
from engine.stats.decide import Rule, calibrate, read_about, read_decide
from engine.training.refit import take_all, train_chosen
from tests.app.decided import part
from tests.engine.test_compare import CHEAP, frame, looked, table

EVERY = np.arange(190)
ASKED = RefitSpec("0123456789abcdef", "smote")


@pytest.fixture(scope="module")
def compared():
    _, found, artifacts = looked(spec=replace(CHEAP, methods=("ce", "smote", "explicit-gradient")))
    return table(), json.loads(json.dumps(found)), artifacts


def train(compared, asked=ASKED):
    data, found, artifacts = compared
    facts, content = finish(train_row(data, found, asked, unpack(artifacts[f"decide/{asked.row}"])))
    return facts, engine.load_model(content)


def test_it_is_the_model_of_all_rows_at_the_median_epochs(compared):
    data, found, _ = compared
    facts, model = train(compared)
    row = next(row for row in found["methods"] if row["name"] == "smote")
    epochs = sorted(row["epochs"])[(len(row["epochs"]) - 1) // 2]
    assert facts["epochs"] == {"training": epochs} and facts["rows"] == len(data.y) and facts["held_out"] == 0
    assert f"all {len(data.y)} rows" in facts["text"] and f"training {epochs}" in facts["text"]
    task = take_all(data, np.arange(len(data.y)), seed=0)
    kind = method("smote")
    known = {k: v for k, v in row["params"].items() if k in kind.__dataclass_fields__}
    fitted = finish(train_chosen(kind(**known), task, {"training": torch.tensor([epochs])}))
    x = fit_scale(encode(data)[0], len(data.numeric_names), np.arange(len(data.y)))(encode(data)[0])
    with torch.no_grad():
        raw = fitted.net(torch.from_numpy(x).float().unsqueeze(0))[0].double().softmax(-1).numpy()
    want = model.decision.calibration.apply(raw, 1)
    np.testing.assert_allclose(model.predict_proba(frame(data, EVERY)), want, rtol=0, atol=1e-6)
    assert model.about["trained_on"].startswith("all rows") and "all rows" in model.describe()
    assert model.facts.rows == len(data.y) and model.about["target"] == "left"
    assert (model.flag(frame(data, EVERY)) == (model.predict_proba(frame(data, EVERY))[:, 1] >= model.cut)).all()


def test_it_holds_the_cut_calibration_and_promise_of_the_replicates(compared):
    _, _, artifacts = compared
    _, model = train(compared)
    arrays = unpack(artifacts["decide/smote"])
    read = read_decide(arrays)
    cuts = [calibrate(arrays, read["calibration"], r, np.array([c]))[0] for r, c in enumerate(read["cuts"])]
    assert model.cut == pytest.approx(np.median(cuts), abs=1e-5) and model.decision.calibration.kind == read["calibration"]
    for name in ("precision", "recall", "alerts"):
        assert model.promised[name]["mean"] == pytest.approx(read["readings"][name]["mean"])
    assert model.rule["kind"] == "f-beta" and model.decision.share == pytest.approx(40 / 190)


def test_another_rule_and_calibration_can_be_asked_for(compared):
    asked = replace(ASKED, rule={"kind": "alerts", "value": 100.0}, calibration="sigmoid")
    _, model = train(compared, asked)
    assert model.rule["kind"] == "alerts" and model.rule["value"] == 100 and model.decision.calibration.kind == "sigmoid"
    data = compared[0]
    assert model.flag(frame(data, EVERY)).sum() == 19
    for wrong in ({"kind": "none"}, {"kind": "alerts", "value": 0}, {"what": 1}, "alerts", {"value": "x"}):
        with pytest.raises(BadParameter):
            replace(ASKED, rule=wrong)
    with pytest.raises(BadParameter):
        replace(ASKED, calibration="none")


def test_a_method_that_reads_validation_rows_keeps_a_fifth_apart(compared):
    facts, model = train(compared, replace(ASKED, row="explicit-gradient"))
    assert facts["held_out"] == 38 and facts["rows"] == 152 and "kept apart" in facts["text"]
    assert model.facts.rows == 190 and model.about["training_rows"] == 152


def test_the_model_of_a_replicate_flags_as_the_comparison_did(compared):
    """The cut and the calibrated probabilities of the model of replicate 0, on its test rows, against the comparison's own scores."""
    data, _, artifacts = compared
    arrays = unpack(artifacts["decide/ce"])
    for calibration in ("as trained", "sigmoid", "temperature", "prior corrected"):
        decision = build_decision(arrays, 1, replicate=0, calibration=calibration)
        scores = unpack(artifacts["arrays"])
        own = scores["score/ce"][(scores["seed"] == 0) & (scores["fold"] == 0)][: (scores["fold"] == 0).sum()]
        cut = read_decide(arrays)["cuts"][0]
        assert ((decision.calibration(own) >= decision.cut) == (own >= cut)).all()


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("rule", [Rule("alerts", 3.0, "day"), Rule("recall", 0.7)])
def test_a_promise_counts_rows_where_owners_are_the_usual_case(rule, replicates):
    """A model file flags rows. Precision and alerts of the rows that it would flag, counted by hand on the test part of each replicate."""
    rng = np.random.default_rng(5)
    parts = [[part(rng, 900, 0.1, 2.0, days=30, owners=200) for _ in range(2)] for _ in range(replicates)]
    scored = [Scored(valid, replace(test, block=test.day if replicates == 1 else None), 0.1, 0.1) for valid, test in parts]
    arrays = build_arrays(
        scored, name="a", positive="yes", classes=("no", "yes"), share=0.1, test_share=0.25, interval="t", rule=rule, rng=rng,
        owners_first=True,
    )  # fmt: skip
    assert read_about(arrays)["units"] == ["owner", "row"]
    promised = build_decision(arrays, 1, calibration="as trained").promised
    cut = read_decide(arrays, calibration="as trained", unit="row" if rule.kind == "alerts" else "owner")["readings"]["cut"][
        "mean"
    ]
    precision, alerts = [], []
    for _, test in parts:
        flagged = test.score >= cut - 1e-7
        if rule.per == "day":
            order = np.argsort(-test.score, kind="stable")
            flagged = np.isin(np.arange(900), np.concatenate([order[test.day[order] == day][:3] for day in range(30)]))
        precision.append(test.y[flagged].mean())
        alerts.append(1000 * flagged.mean())
    assert promised["precision"]["mean"] == pytest.approx(np.mean(precision), rel=1e-6)
    assert promised["alerts"]["mean"] == pytest.approx(np.mean(alerts), rel=1e-6)


def test_what_cannot_be_trained_again_says_why(compared):
    data, found, artifacts = compared
    with pytest.raises(BadInput, match="no row 'other'"):
        finish(train_row(data, found, replace(ASKED, row="other"), None))
    old = {**found, "methods": [{k: v for k, v in row.items() if k != "chosen"} for row in found["methods"]]}
    with pytest.raises(BadInput, match=OLD[:20]):
        finish(train_row(data, old, ASKED, None))
    facts, content = finish(train_row(data, found, ASKED, None))
    assert engine.load_model(content).decision is None and facts["positive"] == "leaves"


def test_the_spec_is_plain_and_comes_back():
    asked = replace(ASKED, rule=Rule("recall", 0.8).to_json())
    assert RefitSpec.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    assert len({ASKED.id(1, None), ASKED.id(2, None), ASKED.id(1, "me"), asked.id(1, None)}) == 4
    for wrong in (
        5,
        {},
        {"comparison": "a"},
        {"comparison": "a", "row": ""},
        {"comparison": 1, "row": "a"},
        {"comparison": "a", "row": "b", "c": 1},
    ):
        with pytest.raises(BadParameter):
            RefitSpec.from_json(wrong)


def test_the_code_of_a_row_trains_again_too(compared):
    from engine.report.comparison_code import write_row

    _, found, _ = compared
    script = write_row(found, "ce")
    assert "model[-1].set_params(validation_fraction=0, epochs=model[-1].epoch_)" in script and compile(script, "c.py", "exec")
    assert "this code does not" in write_row(found, "explicit-gradient") and "validation_fraction=0" not in write_row(
        found, "explicit-gradient"
    )
    old = {**found, "methods": [{k: v for k, v in row.items() if k != "refit"} for row in found["methods"]]}
    assert "again" not in write_row(old, "ce")


def test_other_models_too_and_without_training_again_in_the_comparison(monkeypatch):
    import sklearn.base

    from engine.errors import BadData

    _, found, artifacts = looked(
        spec=replace(CHEAP, methods=None, models=("forest",), remedies=("none",), ensembles=(), refit=False)
    )
    row = next(row for row in found["methods"] if row["name"] == "forest")
    assert row["refit"] is None and found["refit"] is None and row["chosen"]["trees"] == row["epochs"]
    facts, content = finish(train_row(table(), found, replace(ASKED, row="forest"), unpack(artifacts["decide/forest"])))
    model = engine.load_model(content)
    assert facts["epochs"] == {"trees": row["epochs"][0]} and model.facts.rows == 190 and "forest" in model.kind
    assert ((model.predict_proba(frame(table(), EVERY))[:, 1] >= model.cut) == model.flag(frame(table(), EVERY))).all()
    monkeypatch.setattr(sklearn.base, "__version__", "2.0.1")
    with pytest.raises(BadData, match="made with scikit-learn 1"):
        engine.load_model(content)
