"""An embedder with a memory of recent queries, and a deadline for new ones."""

import asyncio
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from tools.search.embedder.contract import Embedder, TooSlow
from tools.search.embedder.texts import readable

QUERY_DEADLINE_S = 3.0
MOST_CACHED = 1024


class CachingEmbedder:
    """Stands before another embedder. For any thread and any event loop."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._cache: OrderedDict[str, array[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int | None:
        return self._embedder.dimensions

    async def embed_query(self, texts: Sequence[str]) -> list[list[float]]:
        wanted = [readable(text) for text in texts]
        known = self._cached(wanted)
        if missing := [text for text in dict.fromkeys(wanted) if text not in known]:
            known |= self._add(dict(zip(missing, await self._embed(missing), strict=True)))
        return [known[text].tolist() for text in wanted]

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        return self._embedder.embed_documents([readable(text) for text in texts]) if texts else []

    async def _embed(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            async with asyncio.timeout(QUERY_DEADLINE_S):
                return await self._embedder.embed_query(texts)
        except TimeoutError as error:
            raise TooSlow from error

    def _cached(self, texts: Iterable[str]) -> "dict[str, array[float]]":
        with self._lock:
            known = {text: self._cache[text] for text in texts if text in self._cache}
            for text in known:
                self._cache.move_to_end(text)
        return known

    def _add(self, vectors: Mapping[str, Sequence[float]]) -> "dict[str, array[float]]":
        # Four bytes a number, as in pgvector: a list of floats takes eight times as many.
        new = {text: array("f", vector) for text, vector in vectors.items()}
        with self._lock:
            self._cache |= new
            while len(self._cache) > MOST_CACHED:
                self._cache.popitem(last=False)
        return new
