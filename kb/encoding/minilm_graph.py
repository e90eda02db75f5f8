"""MiniLM's weights to an ONNX graph, exact or with 8-bit arithmetic; the one user of `onnx`.

The graph is written out from the weights and not exported from a running model, so building it
needs no torch and cannot change with another library's idea of BERT. It reads one text at a time:
8-bit activations share one scale a tensor, so in a batch a text's vector would depend on its
neighbours, and vectors are kept for good under the hash of their own text alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load

WIDTH = 384
HEADS = 12
LAYERS = 6
EPSILON = 1e-12
WEIGHT_STEPS = 63
"""Of the 127 that 8 bits have: without VNNI, x86 adds two products of 8 bits in 16 and saturates
beyond this. One graph for every processor also means one recipe; the eighth bit is worth 0.001 of
cosine (0.9929 against 0.9940 to the exact vectors, 199 texts)."""
EXACT = frozenset(f"encoder.layer.{layer}.output.dense" for layer in range(3))
"""Matrices whose inputs have a few values far above the rest, which a shared scale drowns: left
exact they bring the cosine from 0.9929 to 0.9958 for a tenth more time."""
ROW_STEPS = 127

Array = NDArray[Any]


def build_graph(weights: bytes, *, quantised: bool) -> bytes:
    """An ONNX model from `ids`, int64 (1, pieces), to `vector`, float32 (1, 384) of length 1.

    Args:
        weights: The model's safetensors file.
        quantised: Whether its matrices are multiplied in 8 bits.
    """
    return _Graph(load(weights), quantised=quantised).build()


class _Graph:
    def __init__(self, weights: dict[str, Array], *, quantised: bool) -> None:
        self._weights = weights
        self._quantised = quantised
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def build(self) -> bytes:
        state = self._embed()
        for layer in range(LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}")
        mean = self._node("ReduceMean", state, self._constant("pieces", np.array([1])), keepdims=0)
        self._node("LpNormalization", mean, out="vector", axis=-1, p=2)
        graph = helper.make_graph(
            self._nodes,
            "minilm",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "pieces"])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, WIDTH])],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)],
            ir_version=10,
        )
        return bytes(model.SerializeToString())

    def _embed(self) -> str:
        places = self._weights["embeddings.position_embeddings.weight"]
        first_kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        count = self._node("Shape", "ids", start=1, end=2)
        zero = self._constant("zero", np.array([0]))
        placed = self._constant("places", places + first_kind)
        words = self._embed_words(self._weights["embeddings.word_embeddings.weight"])
        summed = self._node("Add", words, self._node("Slice", placed, zero, count, zero))
        name = "embeddings.LayerNorm"
        return self._node(
            "LayerNormalization",
            summed,
            self._named(f"{name}.weight"),
            self._named(f"{name}.bias"),
            axis=-1,
            epsilon=EPSILON,
        )

    def _embed_words(self, table: Array) -> str:
        if not self._quantised:
            return self._node("Gather", self._constant("words", table), "ids")
        scale = np.abs(table).max(axis=1, keepdims=True) / ROW_STEPS
        rows = self._constant("words", np.round(table / scale).astype(np.int8))
        scales = self._constant("words.scale", scale.astype(np.float32))
        picked = self._node("Cast", self._node("Gather", rows, "ids"), to=TensorProto.FLOAT)
        return self._node("Mul", picked, self._node("Gather", scales, "ids"))

    def _layer(self, state: str, name: str) -> str:
        heads = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        joined = np.concatenate([self._weights[f"{head}.weight"].T for head in heads], axis=1)
        bias = np.concatenate([self._weights[f"{head}.bias"] for head in heads])
        product = self._multiply(state, f"{name}.heads", joined)
        parts = [f"{head}.out" for head in heads]
        self._add("Split", [product], parts, axis=-1, num_outputs=3)
        attended = self._own(
            "MultiHeadAttention",
            *parts,
            self._constant(f"{name}.heads.bias", bias),
            num_heads=HEADS,
        )
        state = self._add_and_norm(state, attended, f"{name}.attention.output")
        inner = f"{name}.intermediate.dense"
        wide = self._multiply(state, inner, self._weights[f"{inner}.weight"].T)
        bent = self._own("BiasGelu", wide, self._named(f"{inner}.bias"))
        return self._add_and_norm(state, bent, f"{name}.output")

    def _add_and_norm(self, state: str, change: str, name: str) -> str:
        dense = f"{name}.dense"
        return self._own(
            "SkipLayerNormalization",
            self._multiply(change, dense, self._weights[f"{dense}.weight"].T),
            state,
            self._named(f"{name}.LayerNorm.weight"),
            self._named(f"{name}.LayerNorm.bias"),
            self._named(f"{dense}.bias"),
            epsilon=EPSILON,
        )

    def _multiply(self, state: str, name: str, matrix: Array) -> str:
        if not self._quantised or name in EXACT:
            return self._node("MatMul", state, self._constant(name, matrix))
        scale = np.abs(matrix).max(axis=0) / WEIGHT_STEPS
        return self._own(
            "DynamicQuantizeMatMul",
            state,
            self._constant(name, np.round(matrix / scale).astype(np.int8)),
            self._constant(f"{name}.scale", scale.astype(np.float32)),
        )

    def _node(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        return self._add(kind, inputs, [out or f"{kind}.{len(self._nodes)}"], **attributes)

    def _own(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One of ONNX Runtime's own fused operators."""
        out = [f"{kind}.{len(self._nodes)}"]
        return self._add(kind, inputs, out, domain="com.microsoft", **attributes)

    def _add(self, kind: str, inputs: Any, outputs: list[str], **attributes: Any) -> str:
        name = f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, outputs, name=name, **attributes))
        return outputs[0]

    def _named(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _constant(self, name: str, values: Array) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name
