"""The job that scores a table for the page."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Generator, Mapping
from typing import Any

from engine.errors import BadData
from engine.events import Event, Phase
from engine.export.read import load_model
from engine.score.score import score_table
from engine.score.scorer import Scorer
from engine.spec.score import ScoreSpec


def run_json(
    spec: Mapping[str, Any], table: tuple[str, bytes] | None, model: bytes
) -> Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]:
    """The steps of a score job: returns its facts, and the artifacts `score` (JSON) and `scored.csv`.

    spec: `ScoreSpec` as JSON. table: the file's name and bytes. model: bytes of the model file. Raises the errors of engine.errors.
    """
    began = time.monotonic()
    asked = ScoreSpec.from_json(spec)
    if table is None:
        raise BadData("The table is no longer here; send it again.")
    yield Phase("model", "Reading the model")
    loaded = load_model(io.BytesIO(model))
    name, data = table
    answer, artifacts = yield from score_table(
        Scorer.of(loaded), data, name, alerts=asked.alerts, per=asked.per, target=asked.target, began=began
    )
    return {"seconds": answer["seconds"]}, {**artifacts, "score": json.dumps(answer, allow_nan=False).encode()}
