"""The facts of a model's training rows: shares, bins, medians, against hand cases and pandas; forged ones are refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.data.prepare import encode, fit_scale
from engine.data.table import Dataset
from engine.export.model_facts import BINS, QUANTILES, ModelFacts, build_facts, list_replacements
from engine.export.pipeline import Pipeline


def table(n: int = 200, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    numeric = np.stack(
        [rng.normal(size=n), rng.integers(0, 3, n), np.full(n, 7.0), np.full(n, np.nan), rng.exponential(size=n)], 1
    )
    numeric[:20, 4] = np.nan
    codes = np.stack([rng.integers(0, 3, n), np.full(n, 2)], 1)
    return Dataset(
        "made", "tabular", numeric, codes, (("a", "b", "(missing)"), ("x", "y", "(missing)")), ("n", "few", "same", "none", "gaps"),
        ("level", "gone"), (np.arange(n) % 4 == 0).astype(np.int64), ("no", "yes"),
    )  # fmt: skip


def facts_of(data: Dataset, which: np.ndarray) -> tuple[Pipeline, ModelFacts]:
    pipeline = Pipeline.of(data, fit_scale(encode(data)[0], len(data.numeric_names), which))
    return pipeline, build_facts(data, which, pipeline)


def test_facts_are_of_the_given_rows_alone():
    data = table()
    which = np.arange(10, 110)
    pipeline, facts = facts_of(data, which)
    by_name = {c.name: c for c in facts.columns}
    assert facts.rows == 100 and list(by_name) == [c.name for c in pipeline.columns]
    values = pd.Series(data.numeric[which, 0])
    n = by_name["n"]
    for at, value in zip(QUANTILES, n.quantiles, strict=True):  # the smallest value with at least this share up to it
        assert np.mean(values <= value) >= at - 1e-12 and np.mean(values < value) <= at
    assert (n.low, n.high) == (values.min(), values.max())
    assert np.mean(values <= n.median) >= 0.5 and np.mean(values < n.median) <= 0.5
    assert len(n.shares) == BINS and n.shares == pytest.approx([0.1] * BINS)
    few = by_name["few"]
    shares = pd.Series(data.numeric[which, 1]).value_counts(normalize=True).sort_index()
    assert few.edges == (0.0, 1.0) and few.shares == pytest.approx(shares.tolist())
    assert by_name["same"].edges == () and by_name["same"].shares == (1.0,) and by_name["same"].median == 7.0
    assert by_name["none"].missing == 1.0 and by_name["none"].median is None and by_name["none"].shares == (0.0,)
    assert by_name["gaps"].missing == pytest.approx(0.1)
    level = data.categorical[which, 0]
    assert by_name["level"].levels == ("a", "b") and by_name["level"].missing == pytest.approx(np.mean(level == 2))
    assert by_name["level"].shares == pytest.approx([np.mean(level[level < 2] == k) for k in (0, 1)])
    assert by_name["gone"].missing == 1.0 and by_name["gone"].mode is None


def test_counting_the_training_rows_gives_their_shares():
    data = table()
    which = np.arange(200)
    pipeline, facts = facts_of(data, which)
    for i, own in enumerate(facts.columns):
        values = data.numeric[:, i] if i < len(pipeline.numeric) else data.categorical[:, i - len(pipeline.numeric)]
        counts = own.count(values)
        assert counts.sum() == round(200 * (1 - own.missing))
        assert counts / max(1, counts.sum()) == pytest.approx(own.shares)
    assert facts.columns[0].place(np.array([-1e9, 1e9, np.nan])).tolist() == [0, BINS - 1, -1]
    assert facts.columns[5].place(np.array([0, 2, -1])).tolist() == [0, -1, -1]


def test_a_replaced_column_is_as_a_row_of_the_usual_value():
    data = table()
    pipeline, facts = facts_of(data, np.arange(100))
    frame = pd.DataFrame(dict(zip(data.numeric_names, data.numeric.T, strict=True)))
    for name, levels, codes in zip(data.categorical_names, data.categories, data.categorical.T, strict=True):
        frame[name] = pd.Series([levels[k] if levels[k] != "(missing)" else None for k in codes], dtype=object)
    before, _ = pipeline(frame)
    for (indices, values), own in zip(list_replacements(pipeline, facts), facts.columns, strict=True):
        usual = own.median if own.parted else own.mode
        after, _ = pipeline(frame.assign(**{own.name: np.nan if usual is None else usual}))
        made = before.copy()
        made[:, indices] = values
        np.testing.assert_allclose(made, after, rtol=0, atol=1e-12)


def test_facts_are_plain_and_come_back():
    pipeline, facts = facts_of(table(), np.arange(200))
    words = json.loads(json.dumps(facts.to_json(), allow_nan=False))
    assert ModelFacts.from_json(words, pipeline) == facts


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.update(rows=0),
        lambda w: w.update(columns=w["columns"][1:]),
        lambda w: w["columns"][0].update(name="other"),
        lambda w: w["columns"][0].update(kind="date"),
        lambda w: w["columns"][0].update(missing=2.0),
        lambda w: w["columns"][0].update(edges=[3.0, 1.0]),
        lambda w: w["columns"][0].update(shares=[1.0]),
        lambda w: w["columns"][0].update(shares=[0.5] * BINS),
        lambda w: w["columns"][0].update(quantiles=[1.0]),
        lambda w: w["columns"][0].update(quantiles=[float("inf")] * len(QUANTILES)),
        lambda w: w["columns"][5].update(levels=["a"]),
        lambda w: w["columns"][5].update(mode="c"),
        lambda w: w["columns"][5].pop("mode"),
        lambda w: w["columns"][5].update(shares="ab"),
    ],
)
def test_forged_facts_are_refused(spoil):
    pipeline, facts = facts_of(table(), np.arange(200))
    words = facts.to_json()
    spoil(words)
    with pytest.raises((ValueError, KeyError, TypeError)):
        ModelFacts.from_json(words, pipeline)


def test_a_boolean_column_has_two_levels():
    data = table()
    pipeline, _ = facts_of(data, np.arange(200))
    flags = (data.numeric[:, 1] > 0).astype(float)
    flags[:50] = np.nan
    columns = (replace(pipeline.columns[0], kind="boolean", levels=("off", "on")), *pipeline.columns[1:])
    numeric = data.numeric.copy()
    numeric[:, 0] = flags
    own = build_facts(replace(data, numeric=numeric), np.arange(200), replace(pipeline, columns=columns)).columns[0]
    assert own.levels == ("off", "on") and own.missing == 0.25 and own.mode == "on"
    assert own.shares == pytest.approx([np.mean(flags[50:] == 0), np.mean(flags[50:] == 1)])
    assert own.place(np.array([0.0, 1.0, np.nan])).tolist() == [0, 1, -1]
