"""What was asked lately is known, and what takes too long has failed."""

import asyncio
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from tools.search.embedder.contract import Embedder, TooSlow
from tools.search.embedder.texts import readable

QUERY_DEADLINE_S = 3.0
MOST_REMEMBERED = 1024


class Remembering:
    """An embedder in front of another one. For any thread and any event loop."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._memory: OrderedDict[str, array[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int | None:
        return self._embedder.dimensions

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        asked = [readable(text) for text in texts]
        known = self._recalled(asked)
        if missing := [text for text in dict.fromkeys(asked) if text not in known]:
            known |= self._remembered(dict(zip(missing, await self._embed(missing), strict=True)))
        return [known[text].tolist() for text in asked]

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return self._embedder.embed_documents([readable(text) for text in texts]) if texts else []

    async def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            async with asyncio.timeout(QUERY_DEADLINE_S):
                return await self._embedder.embed_query(texts)
        except TimeoutError as error:
            raise TooSlow from error

    def _recalled(self, texts: Iterable[str]) -> "dict[str, array[float]]":
        with self._lock:
            known = {text: self._memory[text] for text in texts if text in self._memory}
            for text in known:
                self._memory.move_to_end(text)
        return known

    def _remembered(self, vectors: Mapping[str, Sequence[float]]) -> "dict[str, array[float]]":
        new = {
            text: array("f", vector) for text, vector in vectors.items()
        }  # as exact as pgvector keeps them
        with self._lock:
            self._memory |= new
            while len(self._memory) > MOST_REMEMBERED:
                self._memory.popitem(last=False)
        return new
