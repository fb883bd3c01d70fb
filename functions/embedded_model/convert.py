"""Turns the published weights of all-MiniLM-L6-v2 into the ONNX model that the function loads; runs at build time only.

The graph is written by hand, operator by operator, so that no torch is needed and nothing is left to optimise at load.
It holds the whole path from token ids to unit vectors: embeddings, six transformer layers, mean pooling, L2 norm.

Architecture: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 (config.json, 1_Pooling, 2_Normalize).
Fused operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

Weights = Mapping[str, NDArray[np.float32]]

LAYERS = 6
HIDDEN = 384
HEADS = 12
POSITIONS = 256  # the weights have 512; sentence-transformers was trained with, and stops at, 256
EPSILON = 1e-12  # of every layer norm
SMALLEST_NORM = 1e-12  # what sentence-transformers' Normalize divides by at least
FUSED = "com.microsoft"
OPSETS = {"": 17, FUSED: 1}
IR_VERSION = 10


@dataclass(slots=True)
class Graph:
    """Collects nodes and initializers; every method returns the name of the tensor that it adds."""

    nodes: list[Any] = field(default_factory=list)  # onnx has no types
    initializers: list[Any] = field(default_factory=list)

    def constant(self, name: str, values: NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, *unused: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output, *unused], name=output, **attributes))
        return output


def build_model(weights: Weights) -> Any:
    """An ONNX model: `ids` (n, length) and `lengths` (n,), both int32, give `vectors` (n, 384) float32.

    Ids are padded on the right with anything; `lengths` says how many of each row count.
    """
    graph = Graph()
    hidden = add_embeddings(graph, weights)
    for number in range(LAYERS):
        hidden = add_layer(graph, hidden, number, part(weights, f"encoder.layer.{number}."))
    add_pooling(graph, hidden)
    return as_model(graph)


def part(weights: Weights, prefix: str) -> Weights:
    return {name.removeprefix(prefix): values for name, values in weights.items() if name.startswith(prefix)}


def add_embeddings(graph: Graph, weights: Weights) -> str:
    """Word + position + the one token type there is, normalised."""
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    # Every token has type 0, so the vector of that type is added to the positions once, here.
    positions = weights["embeddings.position_embeddings.weight"][:POSITIONS]
    types = weights["embeddings.token_type_embeddings.weight"][0]
    return graph.node(
        "EmbedLayerNormalization",
        [
            "ids",
            "",
            words,
            graph.constant("positions", positions + types),
            "",
            graph.constant("embedding_scale", weights["embeddings.LayerNorm.weight"]),
            graph.constant("embedding_shift", weights["embeddings.LayerNorm.bias"]),
        ],
        "embedded",
        "embedded.mask",  # the operator insists on having it
        domain=FUSED,
        epsilon=EPSILON,
    )


def add_layer(graph: Graph, hidden: str, number: int, weights: Weights) -> str:
    name = f"layer{number}"
    attended = add_attention(graph, hidden, f"{name}.attention", part(weights, "attention."))
    wide = add_dense(graph, attended, f"{name}.wide", part(weights, "intermediate.dense."))
    wide_bias = graph.constant(f"{name}.wide.bias", weights["intermediate.dense.bias"])
    active = graph.node("BiasGelu", [wide, wide_bias], f"{name}.active", domain=FUSED)
    return add_residual(graph, active, attended, f"{name}.output", part(weights, "output."))


def add_attention(graph: Graph, hidden: str, name: str, weights: Weights) -> str:
    """Self-attention over the first `lengths` tokens of each row, projected and added to what came in."""
    queries_keys_values = [part(weights, f"self.{kind}.") for kind in ("query", "key", "value")]
    weight = np.concatenate([one["weight"].T for one in queries_keys_values], axis=1)
    bias = np.concatenate([one["bias"] for one in queries_keys_values])
    mixed = graph.node(
        "Attention",
        [hidden, graph.constant(f"{name}.weight", weight), graph.constant(f"{name}.bias", bias), "lengths"],
        f"{name}.mixed",
        domain=FUSED,
        num_heads=HEADS,
    )
    return add_residual(graph, mixed, hidden, name, part(weights, "output."))


def add_residual(graph: Graph, values: str, skipped: str, name: str, weights: Weights) -> str:
    """Projects `values`, adds `skipped`, and normalises the sum."""
    projected = add_dense(graph, values, f"{name}.projected", part(weights, "dense."))
    scale = graph.constant(f"{name}.scale", weights["LayerNorm.weight"])
    shift = graph.constant(f"{name}.shift", weights["LayerNorm.bias"])
    bias = graph.constant(f"{name}.bias.projected", weights["dense.bias"])
    inputs = [projected, skipped, scale, shift, bias]
    return graph.node("SkipLayerNormalization", inputs, name, domain=FUSED, epsilon=EPSILON)


def add_dense(graph: Graph, values: str, name: str, weights: Weights) -> str:
    """A projection without its bias, which the fused operator after it adds."""
    return graph.node("MatMul", [values, graph.constant(f"{name}.weight", weights["weight"].T)], name)


def add_pooling(graph: Graph, hidden: str) -> str:
    """The mean of the tokens that are no padding, scaled to length 1."""
    mask = add_mask(graph, hidden)
    total = graph.node("MatMul", [mask, hidden], "pooling.total")
    total = graph.node("Squeeze", [total, graph.constant("axis1", np.array([1]))], "pooling.sum")
    count = graph.node("ReduceSum", [mask, graph.constant("axis2", np.array([2]))], "pooling.count", keepdims=0)
    mean = graph.node("Div", [total, count], "pooling.mean")
    norm = graph.node("ReduceL2", [mean], "pooling.norm", axes=[1], keepdims=1)
    smallest = graph.constant("smallest_norm", np.array(SMALLEST_NORM, dtype=np.float32))
    norm = graph.node("Max", [norm, smallest], "pooling.divisor")
    return graph.node("Div", [mean, norm], "vectors")


def add_mask(graph: Graph, hidden: str) -> str:
    """Shape (n, 1, length), 1.0 where a token counts: a row that, multiplied with the tokens, sums them."""
    shape = graph.node("Shape", [hidden], "mask.length", start=1, end=2)
    length = graph.node("Squeeze", [shape], "mask.size")
    first, step = graph.constant("zero", np.array(0)), graph.constant("one", np.array(1))
    places = graph.node("Range", [first, length, step], "mask.places")
    limits = graph.node("Cast", ["lengths"], "mask.limits64", to=TensorProto.INT64)
    limits = graph.node("Unsqueeze", [limits, graph.constant("axes12", np.array([1, 2]))], "mask.limits")
    counts = graph.node("Less", [places, limits], "mask.counts")
    return graph.node("Cast", [counts], "mask", to=TensorProto.FLOAT)


def as_model(graph: Graph) -> Any:
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT32, ["n", "length"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT32, ["n"]),
    ]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", HIDDEN])]
    body = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, outputs, graph.initializers)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION)


def convert(weights: Path, folder: Path) -> None:
    """Writes model.onnx, and beside it model.weights, which onnxruntime maps into memory instead of reading it."""
    onnx.save_model(
        build_model(load_file(weights)),
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.weights",
    )


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
