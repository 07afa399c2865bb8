"""The decision in a model file: calibrated probabilities, flags by its rule, promises; older files, forged ones, other versions."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.base
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

import engine
from engine.errors import BadData, BadParameter
from engine.export.decision import TILT, Calibration, Decision, join_calibrations
from engine.export.model_facts import build_facts
from engine.export.write import model_bytes
from tests.engine.test_export import fitted, forged, frame, one_sentence, table, words

PROMISED = {name: {"mean": 0.4, "low": 0.3, "high": None} for name in ("precision", "recall", "alerts")}
SIGMOID = Calibration("sigmoid", 0.5, -1.0)
RULE = {"kind": "f-beta", "value": 1.0, "per": "1000", "miss": 1.0, "alarm": 1.0}


def isotonic(seed: int = 0) -> Calibration:
    rng = np.random.default_rng(seed)
    p = rng.random(400)
    made = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(p, rng.random(400) < p**2)
    return Calibration("isotonic", x=tuple(map(float, made.X_thresholds_)), y=tuple(map(float, made.y_thresholds_)))


@pytest.fixture(scope="module")
def net():
    return fitted("ce")


def write(net, decision: Decision | None, **how) -> bytes:
    data, _, out, pipeline, test = net
    facts = build_facts(data, np.setdiff1d(np.arange(len(data.y)), test), pipeline)
    about = {"name": "ce", "title": "Plain"} | how
    return model_bytes(out.net, pipeline, classes=data.classes, about=about, replicate=1, decision=decision, facts=facts)


@pytest.mark.parametrize("calibration", [Calibration(), SIGMOID, isotonic(), Calibration("prior corrected", shift=-2.0)])
def test_probabilities_are_calibrated_as_the_decision_says(net, calibration):
    data, before, *_, test = net
    model = engine.load_model(write(net, Decision(1, 0.2, calibration, 0.3, RULE, PROMISED)))
    now, was = model.predict_proba(frame(data, test)), before[:, 1].numpy()
    want = {"as trained": was, "isotonic": np.interp(was, calibration.x or [0], calibration.y or [0])}
    own = want.get(calibration.kind, expit(calibration.slope * logit(was) + calibration.shift))
    np.testing.assert_allclose(now[:, 1], own, rtol=0, atol=2e-6)
    np.testing.assert_allclose(now.sum(1), 1, atol=1e-12)
    assert (np.argsort(now[:, 1], kind="stable") == np.argsort(was, kind="stable")).all()
    assert model.promised == PROMISED and model.cut == 0.3 and model.rule == RULE and model.positive == 1
    assert model.facts is not None and model.facts.rows == len(data.y) - len(test)
    assert model.made_with["scikit-learn"] == sklearn.__version__ and model.decision.share == 0.2
    assert "flags: from a probability of 0.3 on" in model.describe() and "promised recall: 0.4" in model.describe()


def test_other_classes_keep_their_proportions():
    p = np.random.default_rng(0).dirichlet((1, 1, 1), 50)
    p[0] = (0, 1, 0)
    out = SIGMOID.apply(p, 1)
    np.testing.assert_allclose(out.sum(1), 1)
    np.testing.assert_allclose(out[1:, 0] / out[1:, 2], p[1:, 0] / p[1:, 2])
    np.testing.assert_allclose(out[:, 1], SIGMOID(p[:, 1]))
    assert np.isfinite(out).all() and out[0, 0] == out[0, 2]


def test_steps_of_an_isotonic_one_keep_the_order():
    steps = Calibration("isotonic", x=(0.0, 0.4, 0.6, 1.0), y=(0.0, 0.2, 0.2, 1.0))
    p = np.linspace(0, 1, 101)
    assert (np.diff(steps(p)) > 0).all() and abs(steps(p) - np.interp(p, steps.x, steps.y)).max() <= TILT


def test_joined_calibrations_are_the_mean_of_their_lines():
    joined = join_calibrations([SIGMOID, Calibration("sigmoid", 1.5, 0.0)])
    assert (joined.slope, joined.shift) == (1.0, -0.5)
    parts, p = [isotonic(0), isotonic(1)], np.linspace(0, 1, 1001)
    want = np.mean([np.interp(p, one.x, one.y) for one in parts], axis=0)
    np.testing.assert_allclose(join_calibrations(parts)(p), want, atol=1e-5)  # steep lines, single precision
    assert join_calibrations([Calibration()] * 3) == Calibration()


def test_flags_by_its_own_rule_and_by_a_budget(net):
    data, *_, test = net
    rows = frame(data, test)
    cut = float(np.median(engine.load_model(write(net, Decision(1, 0.2, SIGMOID))).predict_proba(rows)[:, 1]))
    model = engine.load_model(write(net, Decision(1, 0.2, SIGMOID, cut, RULE)))
    p = model.predict_proba(rows)[:, 1]
    assert (model.flag(rows) == (p >= cut)).all() and 0 < model.flag(rows).sum() < len(p)
    budget = model.flag(rows, alerts=200)
    assert budget.sum() == int(0.2 * len(p)) and p[budget].min() >= p[~budget].max()
    own = engine.load_model(write(net, Decision(1, 0.2, SIGMOID, cut, RULE | {"kind": "alerts", "value": 200.0})))
    assert (own.flag(rows) == budget).all()
    assert model.flag(rows, alerts=1).sum() == 0  # never more than the budget
    plain = engine.load_model(write(net, None))
    assert (plain.flag(rows) == (plain.predict_proba(rows)[:, 1] >= 0.5)).all() and plain.cut is None
    for alerts, per in ((0, "1000"), (1001, "1000"), (True, "1000"), (float("nan"), "1000"), (5, "week"), ("5", "1000")):
        with pytest.raises(BadParameter):
            model.flag(rows, alerts=alerts, per=per)
    with pytest.raises(BadData, match="no time column"):
        model.flag(rows, alerts=3, per="day")


def test_ties_do_not_exceed_the_budget(net):
    data, *_, test = net
    model = engine.load_model(write(net, Decision(1, 0.2)))
    same = pd.concat([frame(data, test[:1])] * 10, ignore_index=True)
    assert model.flag(same, alerts=300).tolist() == [True] * 3 + [False] * 7


def test_a_budget_per_day_takes_the_highest_of_each_day():
    from engine.export.flags import flag_days

    p = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.5])
    days = np.array([1.2, 1.9, 1.0, 2.0, 2.5, 2.9, np.nan])
    assert flag_days(p, 2, days).tolist() == [True, True, False, False, True, True, True]
    assert flag_days(p[:0], 2, days[:0]).tolist() == []


def test_files_of_the_first_format_are_read(net):
    content = write(net, None)
    old = words(content) | {"format": 1}
    for key in ("decision", "facts", "made_with"):
        del old[key]
    model = engine.load_model(forged(content, model__json=json.dumps(old).encode()))
    data, before, *_, test = net
    np.testing.assert_allclose(model.predict_proba(frame(data, test)), before.numpy(), atol=1e-6)
    assert model.decision is None and model.facts is None and model.promised is None and not model.made_with


def test_a_path_an_open_file_and_bytes_are_read(net, tmp_path):
    content = write(net, Decision(1, 0.2))
    (tmp_path / "m.zip").write_bytes(content)
    for source in (tmp_path / "m.zip", str(tmp_path / "m.zip"), io.BytesIO(content), content, bytearray(content)):
        assert engine.load_model(source).positive == 1
    for junk in (b"", b"PK", content[:500]):
        one_sentence(junk)


GOOD = Decision(1, 0.2, SIGMOID, 0.3, RULE, PROMISED).to_json()
STEPS = {"kind": "isotonic", "slope": 1.0, "shift": 0.0, "x": [0.0, 1.0], "y": [0.0, 1.0]}


@pytest.mark.parametrize(
    "changed",
    [
        {"positive": 2}, {"positive": -1}, {"positive": True}, {"positive": "1"}, {"share": 2}, {"share": None}, {"cut": 1.5}, {"cut": "x"},
        {"rule": {"value": 1}}, {"rule": {"kind": "f-beta", "value": "1"}}, {"rule": {"kind": 3}},
        {"rule": [1]}, {"rule": {"kind": "a", "per": "week"}},
        {"promised": {"recall": {"mean": 1}}}, {"promised": {"recall": {"mean": "1", "low": 0, "high": 1}}}, {"promised": 5},
        {"calibration": None}, {"calibration": {"kind": "sigmoid"}}, {"calibration": STEPS | {"kind": "other"}},
        {"calibration": STEPS | {"x": []}}, {"calibration": STEPS | {"x": [1.0, 0.0]}}, {"calibration": STEPS | {"y": [0.0, 3.0]}},
        {"calibration": STEPS | {"x": [], "y": [], "kind": "sigmoid", "slope": -1.0}}, {"calibration": STEPS | {"slope": 1e400}},
        {"calibration": STEPS | {"x": ["0", "1"]}},
    ],
)  # fmt: skip
def test_forged_decisions_end_in_one_sentence(net, changed):
    content = write(net, Decision(1, 0.2))
    spoilt = words(content) | {"decision": GOOD | changed}
    one_sentence(forged(content, model__json=json.dumps(spoilt).encode()))
    engine.load_model(forged(content, model__json=json.dumps(words(content) | {"decision": GOOD}).encode()))


@pytest.mark.parametrize("key", ["facts", "made_with", "decision"])
@pytest.mark.parametrize("value", [5, "x", [1], {"rows": 3, "columns": []}, {"a": {}}])
def test_forged_parts_end_in_one_sentence(net, key, value):
    content = write(net, Decision(1, 0.2))
    if key == "made_with" and isinstance(value, dict):
        return  # names with values: shown as text
    one_sentence(forged(content, model__json=json.dumps(words(content) | {key: value}).encode()))


def test_sizes_are_looked_at_before_anything_is_unpacked(net, monkeypatch):
    content = write(net, Decision(1, 0.2))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in {"model.json": b"{}", "preprocessing.json": b"{}", "weights.safetensors": bytes(257 << 20)}.items():
            zipped.writestr(name, data)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    assert "MiB" in one_sentence(bomb.getvalue()) and len(bomb.getvalue()) < 1 << 20
    assert content


def test_another_scikit_learn_is_answered_in_one_sentence(monkeypatch):
    from sklearn.ensemble import HistGradientBoostingClassifier

    from engine.data.prepare import encode, fit_scale
    from engine.export.pipeline import Pipeline

    data = table()
    scale = fit_scale(encode(data)[0], len(data.numeric_names), np.arange(len(data.y)))
    trees = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=5).fit(
        scale(encode(data)[0]).astype(np.float32), data.y
    )
    content = model_bytes(trees, Pipeline.of(data, scale), classes=data.classes)
    engine.load_model(content)
    monkeypatch.setattr(sklearn.base, "__version__", "2.0.1")
    assert "made with scikit-learn 1." in one_sentence(content)


def test_calibrations_are_checked_where_they_are_made():
    with pytest.raises(ValueError, match="calibration"):
        Calibration("isotonic")
    with pytest.raises(ValueError, match="calibration"):
        replace(SIGMOID, slope=float("nan"))
