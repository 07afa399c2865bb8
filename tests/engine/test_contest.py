"""The score in use, and models that a person has installed, in a comparison."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from engine.compare import comparison as module
from engine.compare.bench import read_score
from engine.events import finish
from engine.spec.contest import IN_USE
from tests.engine.test_compare import CHEAP, looked, table, ticking

MODELS = replace(CHEAP, methods=None, models=("network", "logistic"), remedies=(), ensembles=())


def scored(values: np.ndarray) -> Any:
    return replace(table(), score=values)


@pytest.mark.parametrize("kind", ["share", "points", "ties", "missing"])
def test_the_score_in_use_has_scikit_learns_average_precision(kind):
    rng, y = np.random.default_rng(0), table().y
    values = rng.normal(size=len(y)) + y
    values = {
        "share": 1 / (1 + np.exp(-values)), "points": 300 + 80 * values, "ties": np.round(3 * values), "missing": values.copy(),
    }[kind]  # fmt: skip
    if kind == "missing":
        values[rng.random(len(y)) < 0.2] = np.nan
    data = scored(values)
    bench, _ = module._make_evaluator(data, MODELS, ticking())
    outcomes, _ = finish(bench.evaluate(IN_USE, module.LOOK, (0,)))
    known = np.where(np.isnan(values), -1e9, values)
    for one in outcomes.values():
        theirs = average_precision_score(data.y[one.test_rows] == 1, known[one.test_rows])
        assert one.metrics["average_precision"] == pytest.approx(theirs, abs=1e-12)
    task = bench.prepare(module.LOOK, (0,))
    valid, test = read_score(data, task, 0)
    assert (test.sum(1) == pytest.approx(1)) and valid.min() >= 0 and valid.max() <= 1
    order = np.argsort(known[task.test_source[0]], kind="stable")
    assert (np.diff(test[order, 1]) >= 0).all()


def test_a_copy_of_the_answer_as_score_lifts_no_other_row():
    plain = looked(spec=MODELS)[1]["methods"]
    found = looked(scored(table().y.astype(float)), MODELS)[1]
    *others, used = found["methods"]
    assert [row["metrics"] for row in others] == [row["metrics"] for row in plain]
    assert used["name"] == used["model"] == IN_USE and used["metrics"]["average_precision"]["mean"] == 1.0
    assert used["difference"] is None and found["ranked"][0] == IN_USE and found["lead"]["rival"] in ("ce", "logistic")


def test_a_score_of_many_classes_takes_no_part():
    data = table((90, 40, 20))
    _, found, _ = looked(replace(data, score=data.y.astype(float)), MODELS)
    assert [row["name"] for row in found["methods"]] == ["ce", "logistic"]
    assert any("compared where there are two classes" in text for text in found["shortened"])


@pytest.mark.parametrize(
    ("name", "made", "arguments"),
    [
        ("lightgbm", "LGBMClassifier", {"n_jobs": 1}),
        ("xgboost", "XGBClassifier", {"n_jobs": 1}),
        ("catboost", "CatBoostClassifier", {"thread_count": 1}),
        ("tabpfn", "TabPFNClassifier", {"device": "cpu"}),
    ],
)
def test_an_installed_model_takes_part_and_has_no_file(monkeypatch, tmp_path, name, made, arguments):
    given: list[dict[str, Any]] = []

    class Stranger(LogisticRegression):
        def __init__(self, **how: Any) -> None:
            given.append(how)
            super().__init__()

    fake = ModuleType(name)
    setattr(fake, made, Stranger)
    monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setattr(module, "find_installed", lambda: {name: "1.2.3"})
    monkeypatch.setenv("TABPFN_MODEL_CACHE_DIR", str(tmp_path))
    (tmp_path / "a-classifier.ckpt").write_bytes(b"")
    spec = replace(MODELS, models=("network", name), remedies=("rus",))
    _, found, artifacts = looked(spec=spec)
    rows = {row["name"]: row for row in found["methods"]}
    assert rows[name]["failed"] is None and rows[name]["title"].endswith(" 1.2.3") and rows[f"{name}+rus"]["failed"] is None
    assert all(given[0][key] == value for key, value in arguments.items())
    assert f"model/{name}" not in artifacts and "model/ce" in artifacts
    assert any("no model file" in text and "Stranger cannot be exported" in text for text in found["notes"])
