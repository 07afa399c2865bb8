"""Builds an ONNX graph node by node."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

OPSETS = {"": 18, "ai.onnx.ml": 3}
"""Versions of the operators."""
IR = 9
"""Version of the format; onnxruntime 1.16 and later read it."""


def name_output(name: str, columns: Collection[str]) -> str:
    """The name of an output; `_` is put behind one that a column has."""
    while name in columns:
        name += "_"
    return name


class Graph:
    """Nodes, constants and inputs of a graph. Values are named by this class, so that no column has the name of one."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = set(columns)
        self._prefix = "lab"
        while any(name.startswith(self._prefix) for name in columns):
            self._prefix += "_"
        self._count = 0
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def name(self) -> str:
        """A name that no value has."""
        self._count += 1
        return f"{self._prefix}/{self._count}"

    def input(self, column: str, kind: type) -> str:
        """A column [n, 1] of numbers (float) or of texts (str)."""
        from onnx import TensorProto, helper

        kinds = {float: TensorProto.DOUBLE, str: TensorProto.STRING}
        self._inputs.append(helper.make_tensor_value_info(column, kinds[kind], [None, 1]))
        return column

    def constant(self, values: np.ndarray) -> str:
        """A constant."""
        from onnx import numpy_helper

        name = self.name()
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node; returns its output."""
        from onnx import helper

        name = self.name()
        self._nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def cast(self, value: str, kind: str) -> str:
        """The value as float32, float64 or int64."""
        from onnx import TensorProto

        kinds = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int64": TensorProto.INT64}
        return self.add("Cast", value, to=kinds[kind])

    def concat(self, values: Sequence[str]) -> str:
        """The values side by side."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def times(self, value: str, factor: float) -> str:
        """A value of doubles times a number."""
        return self.add("Mul", value, self.constant(np.array(factor, np.float64)))

    def join(self, model: Any, into: str, out: str) -> str:
        """The graph of another model with one input, `into`; returns its output called `out`."""
        from onnx import compose, helper

        prefix = f"{self.name()}/"
        other = compose.add_prefix(model, prefix, rename_functions=False).graph
        self._nodes.append(helper.make_node("Identity", [into], [other.input[0].name], name=self.name()))
        self._nodes.extend(other.node)
        self._constants.extend(other.initializer)
        return prefix + out

    def finish(self, outputs: Mapping[str, tuple[str, int]], about: Mapping[str, str]) -> bytes:
        """The file. outputs: name -> (value of doubles, dimensions), see `name_output`."""
        import onnx
        from onnx import TensorProto, helper

        infos = []
        for name, (value, dimensions) in outputs.items():
            name = name_output(name, self._columns)
            self._nodes.append(helper.make_node("Identity", [value], [name], name=self.name()))
            infos.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None] * dimensions))
        graph = helper.make_graph(self._nodes, "model", self._inputs, infos, self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="Imbalance Lab")
        helper.set_model_props(made, dict(about))
        onnx.checker.check_model(made)
        data: bytes = made.SerializeToString()
        return data
