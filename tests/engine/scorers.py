"""Tables and a model that scores them, for the tests of scoring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.data.prepare import encode, fit_scale
from engine.data.tables.profile import to_dataset
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target
from engine.events import finish
from engine.export.model_facts import build_facts
from engine.export.pipeline import Pipeline
from engine.score.score import score_table
from engine.score.scorer import Scorer


def write_csv(columns: Mapping[str, Any], delimiter: str = ",") -> bytes:
    """A table as CSV."""
    lines = [delimiter.join(columns)]
    lines += [delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines).encode()


def make_scorer(data: bytes, weights: Mapping[str, float], *, bias: float = 0.0, target: str = "answer", **more: Any) -> Scorer:
    """A model whose log-odds are `bias` and a weight a feature (by its encoded name), fitted to the scale of a table.

    The class looked for is the smaller one.
    """
    sheet = read_sheet(data, "train.csv", target=target)
    dataset = to_dataset(sheet, target)
    rows = np.arange(len(dataset.y))
    table, names = encode(dataset)
    scale = fit_scale(table, len(dataset.numeric_names), rows, name="train")
    pipeline = Pipeline.of(dataset, scale, describe_target(sheet, target))
    w = np.array([weights.get(name, 0.0) for name in names])
    assert set(weights) <= set(names)

    def compute(x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-(x @ w + bias)))
        return np.stack([1 - p, p], 1)

    given = {"facts": build_facts(dataset, rows, pipeline), "about": {"name": "made", "title": "Made", "target": target}}
    return Scorer(pipeline, dataset.classes, 1, compute, **{**given, **more})


def score(scorer: Scorer, data: bytes, name: str = "new.csv", **asked: Any) -> tuple[dict[str, Any], str]:
    """(the answer, the CSV as text)."""
    answer, artifacts = finish(score_table(scorer, data, name, **asked))
    return answer, artifacts["scored.csv"].decode()


Draw = Callable[[np.random.Generator, int], dict[str, Any]]
