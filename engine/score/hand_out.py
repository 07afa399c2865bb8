"""The ONNX file of a model with its script, checked on the rows of a table before it is handed out."""

from __future__ import annotations

import io

from engine.export.onnx import check_onnx, to_onnx
from engine.export.onnx_script import write_script
from engine.export.read import load_model
from engine.score.given import read_given


def hand_out_onnx(model: bytes, data: bytes, name: str, onnx_name: str) -> tuple[bytes, str]:
    """(the ONNX file, a script that scores with it). model: of a model file. data, name: of the table that it was made from.

    Raises BadInput, with one sentence, where there is no converter, or onnxruntime gives other probabilities on some row.
    """
    loaded = load_model(io.BytesIO(model))
    onnx = to_onnx(loaded)
    given = read_given(data, name, loaded.pipeline, loaded.classes, None)
    check_onnx(onnx, loaded, given.numbers, given.codes)
    return onnx, write_script(loaded, onnx_name)
