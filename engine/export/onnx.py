"""A model as ONNX: from typed columns (numbers as floats, categories as texts) to its calibrated probabilities.

One input for each column, [n, 1]: double for numbers, dates (days since 1970-01-01, UTC) and yes and no (0, 1; NaN where missing), string
for categories ("" where missing). Two outputs: `probability` [n] of the class looked for, and `probabilities` [n, C].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from engine.errors import BadInput
from engine.export.decision import ISOTONIC, Calibration
from engine.export.onnx_graph import Graph
from engine.export.onnx_parts import add_classifier
from engine.export.pipeline import OTHER, Column, Pipeline
from engine.export.read import Model

CLOSE = 1e-5
"""Largest difference of a probability from the model's own with which a file is handed out."""

EPS = 1e-12
"""As `engine.export.decision` keeps probabilities from 0 and 1."""

MOST_CORNERS = 5_000
"""Corners of an isotonic calibration: each row is compared with all of them."""

OUTPUTS = ("probability", "probabilities")


def to_onnx(model: Model) -> bytes:
    """The ONNX file. Raises BadInput, with one sentence, for a model that has none."""
    graph = Graph([column.name for column in model.pipeline.columns])
    x = add_pipeline(graph, model.pipeline)
    p = add_classifier(graph, model.fitted, graph.cast(x, model.precision), len(model.classes))
    calibration = Calibration() if model.decision is None else model.decision.calibration
    positive = len(model.classes) - 1 if model.decision is None else model.decision.positive
    p = add_calibration(graph, calibration, p, positive, len(model.classes))
    own = graph.add("Gather", p, graph.constant(np.array(positive, np.int64)), axis=1)
    cut = "" if model.cut is None else repr(model.cut)
    about = {"classes": json.dumps(model.classes), "positive": model.classes[positive], "cut": cut}
    return graph.finish(dict(zip(OUTPUTS, ((own, 1), (p, 2)), strict=True)), about)


def add_pipeline(graph: Graph, pipeline: Pipeline) -> str:
    """From the columns to the features [n, width] double, as `Pipeline.__call__`."""
    parts = []
    if pipeline.numeric:
        numbers = graph.concat([graph.input(column.name, float) for column in pipeline.numeric])
        parts.append(numbers)
        if marked := [i for i, column in enumerate(pipeline.numeric) if column.indicator]:
            own = graph.add("Gather", numbers, graph.constant(np.array(marked, np.int64)), axis=1)
            parts.append(graph.cast(graph.add("IsNaN", own), "float64"))
    for column in pipeline.categorical:
        keys, values, other = list_codes(column)
        code = graph.add(
            "LabelEncoder", graph.input(column.name, str), keys_strings=keys, values_int64s=values, default_int64=other, domain="ai.onnx.ml"
        )  # fmt: skip
        levels = graph.constant(np.arange(len(column.levels), dtype=np.int64)[None])
        parts.append(graph.cast(graph.add("Equal", code, levels), "float64"))
    rows, scale = graph.concat(parts), pipeline.scale
    scaled = graph.add("Div", graph.add("Sub", rows, graph.constant(scale.mean)), graph.constant(scale.sd))
    gone = graph.add("Or", graph.add("IsNaN", rows), graph.constant(scale.constant[None]))
    scaled = graph.add("Where", gone, graph.constant(np.array(0.0)), scaled)
    if scale.components is None:
        return scaled
    mean, axes = scale.components
    return graph.add("MatMul", graph.add("Sub", scaled, graph.constant(mean)), graph.constant(np.ascontiguousarray(axes.T)))


def list_codes(column: Column) -> tuple[list[str], list[int], int]:
    """(texts, their codes, the code of all other texts) of a categorical column. A missing value is ""."""
    codes = {level: i for i, level in enumerate(column.levels)}
    other = codes.get(OTHER, -1)
    codes.setdefault("", codes[column.gap] if column.gap is not None else -1)
    return list(codes), list(codes.values()), other


def add_calibration(graph: Graph, calibration: Calibration, p: str, positive: int, classes: int) -> str:
    """Probabilities [n, C] calibrated, as `Calibration.apply`. Raises BadInput."""
    from engine.export.decision import AS_TRAINED, TILT

    if calibration.kind == AS_TRAINED:
        return p
    own = graph.add("Gather", p, graph.constant(np.array([positive], np.int64)), axis=1)
    own = graph.cast(graph.cast(own, "float32"), "float64")  # as the calibration takes it
    if calibration.kind == ISOTONIC:
        made = _interpolate(graph, own, np.array(calibration.x), np.array(calibration.y))
    else:
        kept = graph.add("Min", graph.add("Max", own, graph.constant(np.array(EPS))), graph.constant(np.array(1 - EPS)))
        odds = graph.add("Sub", graph.add("Log", kept), graph.add("Log", graph.add("Sub", graph.constant(np.array(1.0)), kept)))
        z = graph.add("Add", graph.times(odds, calibration.slope), graph.constant(np.array(calibration.shift)))
        made = graph.add("Sigmoid", z)
    new = graph.add("Add", graph.times(made, 1 - TILT), graph.times(own, TILT))
    others = [k for k in range(classes) if k != positive]
    rest = graph.add("Gather", p, graph.constant(np.array(others, np.int64)), axis=1)
    total = graph.add("ReduceSum", rest, graph.constant(np.array([1], np.int64)), keepdims=1)
    empty = graph.add("Equal", total, graph.constant(np.array(0.0)))
    even = graph.constant(np.full((1, len(others)), 1 / len(others)))
    divided = graph.add("Div", rest, graph.add("Where", empty, graph.constant(np.array(1.0)), total))
    shares = graph.add("Where", empty, even, divided)
    rest = graph.add("Mul", shares, graph.add("Sub", graph.constant(np.array(1.0)), new))
    order = np.argsort([positive, *others])
    return graph.add("Gather", graph.concat([new, rest]), graph.constant(order.astype(np.int64)), axis=1)


def _interpolate(graph: Graph, p: str, x: np.ndarray, y: np.ndarray) -> str:
    """np.interp of p [n, 1]."""
    if len(x) > MOST_CORNERS:
        raise BadInput(f"This model's isotonic calibration has more than {MOST_CORNERS:,} corners, too many for its ONNX file.")
    below = graph.cast(graph.add("GreaterOrEqual", p, graph.constant(x[None])), "int64")
    place = graph.add("ReduceSum", below, graph.constant(np.array([1], np.int64)), keepdims=1)
    # before the first corner and behind the last the line is level
    x, y = np.array([x[0] - 1, *x, x[-1] + 1]), np.array([y[0], *y, y[-1]])
    rise, run = np.diff(y), np.diff(x)
    slope = np.divide(rise, run, out=np.zeros_like(rise), where=run > 0)
    start, height, slopes = (graph.add("Gather", graph.constant(v), place, axis=0) for v in (x[:-1], y[:-1], slope))
    return graph.add("Add", height, graph.add("Mul", graph.add("Sub", p, start), slopes))


def feed_columns(pipeline: Pipeline, numbers: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Typed columns as the file takes them. numbers, codes: as `Pipeline.encode_values`; code -1 is a level that is not known."""
    out = {c.name: np.asarray(v, np.float64).reshape(-1, 1) for c, v in zip(pipeline.numeric, numbers, strict=True)}
    for column, own in zip(pipeline.categorical, codes, strict=True):
        unknown = "unknown"
        while unknown in column.levels:
            unknown += "_"
        texts = np.array(["" if level == column.gap else level for level in column.levels] + [unknown], object)
        out[column.name] = texts[own].reshape(-1, 1)
    return out


def run_onnx(data: bytes, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Probabilities [n, C] by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    out: np.ndarray = session.run([names[1]], dict(columns))[0]
    return out


def check_onnx(data: bytes, model: Model, numbers: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> float:
    """The largest difference of a probability, by onnxruntime, from the model's own on these rows. Raises BadInput above CLOSE."""
    n = len([*numbers, *codes][0])
    ours = model.compute(model.pipeline.encode_values(numbers, codes, n))
    gap = float(np.abs(run_onnx(data, feed_columns(model.pipeline, numbers, codes)) - ours).max(initial=0.0))
    if not gap <= CLOSE:
        raise BadInput(
            f"The ONNX file differs from the model by {gap:.2g} in the probability of some row, so it is not handed out."
        )
    return gap
