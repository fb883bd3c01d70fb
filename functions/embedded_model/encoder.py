"""The model in memory: token ids to unit vectors through onnxruntime; `convert.py` wrote what is loaded here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedded_model.runs import plan_runs
from embedded_model.tokens import Reading, read_texts

DIMENSIONS = 384


@dataclass(frozen=True, slots=True)
class Encoder:
    tokenizer: Tokenizer
    session: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """Loads model.onnx, with the weights it names, and tokenizer.json."""
        return cls(tokenizer=load_tokenizer(folder / "tokenizer.json"), session=load_session(folder / "model.onnx"))

    def read(self, texts: Sequence[str]) -> list[Reading]:
        return read_texts(self.tokenizer, texts)

    def embed(self, ids: Sequence[list[int]]) -> bytes:
        """Vectors of length 1, in the order of `ids`, as little-endian float32 of shape (len(ids), 384)."""
        vectors = np.empty((len(ids), DIMENSIONS), dtype="<f4")
        for run in plan_runs([len(row) for row in ids]):
            vectors[run] = self._run([ids[position] for position in run])
        return vectors.tobytes()

    def _run(self, rows: list[list[int]]) -> NDArray[np.float32]:
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        ids = np.zeros((len(rows), lengths.max()), dtype=np.int32)
        for place, row in zip(ids, rows, strict=True):
            place[: len(row)] = row
        vectors: NDArray[np.float32] = self.session.run(["vectors"], {"ids": ids, "lengths": lengths})[0]
        return vectors


def load_tokenizer(path: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(path))
    # The file pads and cuts to 128 tokens; here nothing is padded, and every token is counted.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def load_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    # The graph already uses fused operators; optimising it again takes longer than loading it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Threads that spin while they wait win 2 ms on an idle machine, and lose half the speed where CPU time is rationed.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A memory plan is kept per input shape, and nearly every run here has a new shape.
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
