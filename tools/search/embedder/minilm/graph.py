"""MiniLM as an ONNX graph for texts of one length: their embedded tokens in, vectors of length 1 out.

Matrices have 8 bits a value, with a scale for each of their outputs. Their inputs are quantised to 8 bits
token by token, so that a token with large values does not cost the others precision. See docs/decisions/0010.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 12
WIDTH = 384
_EPSILON = 1e-12
_MORE = "com.microsoft"
_LEVELS = 127  # on either side of zero
_ZERO = 128

Weights = Mapping[str, NDArray[np.float32]]


def model(weights: Weights) -> ModelProto:
    """Returns the graph.

    Input `tokens`: (texts, tokens, 384). Output `vectors`: (texts, 384), each of length 1.
    """
    graph = _Graph(weights)
    state = graph.normalised("tokens", "embeddings.LayerNorm")
    for layer in range(LAYERS):
        state = graph.layer(state, f"encoder.layer.{layer}")
    graph.pooled(state, into="vectors")
    return graph.model()


class _Graph:
    """The graph under construction. Methods add nodes and return the name of the last output."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def layer(self, state: str, name: str) -> str:
        """Adds a layer of BERT: attention, two dense layers, each part added to its input and normalised."""
        attended = self._linear(
            self._attention(state, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        state = self.normalised(self._node("Add", state, attended), f"{name}.attention.output.LayerNorm")
        outer = self._linear(self._gelu(state, f"{name}.intermediate.dense"), f"{name}.output.dense")
        return self.normalised(self._node("Add", state, outer), f"{name}.output.LayerNorm")

    def normalised(self, state: str, name: str) -> str:
        gain, bias = (
            self._constant(f"{name}.{part}", self._weights[f"{name}.{part}"]) for part in ("weight", "bias")
        )
        return self._node("LayerNormalization", state, gain, bias, epsilon=_EPSILON)

    def pooled(self, state: str, *, into: str) -> None:
        """Adds the mean over tokens, scaled to length 1."""
        mean = self._node("ReduceMean", state, self._constant("each", np.array([1])), keepdims=0)
        self._nodes.append(helper.make_node("LpNormalization", [mean], [into], axis=-1))

    def _attention(self, state: str, name: str) -> str:
        names = [f"{name}.{part}" for part in ("query", "key", "value")]
        parts = [f"{each}.product" for each in names]
        self._nodes.append(
            helper.make_node("Split", [self._product(state, *names)], parts, axis=-1, num_outputs=3)
        )
        return self._node("MultiHeadAttention", *parts, self._bias(*names), domain=_MORE, num_heads=HEADS)

    def _gelu(self, state: str, name: str) -> str:
        return self._node("BiasGelu", self._product(state, name), self._bias(name), domain=_MORE)

    def _linear(self, state: str, name: str) -> str:
        return self._node("Add", self._product(state, name), self._bias(name))

    def _bias(self, *names: str) -> str:
        biases = [self._weights[f"{name}.bias"] for name in names]
        return self._constant(f"{names[0]}.bias", np.hstack(biases))

    def _product(self, state: str, *names: str) -> str:
        """Multiplies by a matrix, or by several side by side."""
        matrix = np.vstack([self._weights[f"{name}.weight"] for name in names])
        scales = np.abs(matrix).max(axis=1) / _LEVELS
        whole = np.rint(matrix / scales[:, None]).astype(np.int8).T
        constants = (
            self._constant(f"{names[0]}.matrix", whole),
            self._one(),
            self._constant(f"{names[0]}.scales", scales),
        )
        numbers, scale = self._quantised(state)
        product = self._node("MatMulIntegerToFloat", numbers, *constants, self._zero(), domain=_MORE)
        return self._node("Mul", product, scale)

    def _quantised(self, state: str) -> tuple[str, str]:
        """Returns 8-bit numbers and their scale for each token, by its largest value."""
        largest = self._node("ReduceMax", self._node("Abs", state), self._constant("last", np.array([-1])))
        levels = self._constant("levels", np.array(1 / _LEVELS, np.float32))
        scale = self._node("Mul", largest, levels)
        return self._node("QuantizeLinear", self._node("Div", state, scale), self._one(), self._zero()), scale

    def _one(self) -> str:
        return self._constant("one", np.array(1, np.float32))

    def _zero(self) -> str:
        return self._constant("zero", np.array(_ZERO, np.uint8))

    def _node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        output = f"{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def _constant(self, name: str, value: NDArray[np.generic]) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def model(self) -> ModelProto:
        tokens = helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["texts", "length", WIDTH])
        vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, "minilm", [tokens], [vectors], constants)
        versions = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=10)
