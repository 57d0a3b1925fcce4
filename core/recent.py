"""A value that is costly to find out, and good enough for a while."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps what `load` returned for `for_s` seconds. Those who ask at the same time share one call of it."""

    def __init__(self, load: Callable[[], Awaitable[T]], for_s: float) -> None:
        self._load = load
        self._for_s = for_s
        self._lock = asyncio.Lock()
        self._value: T
        self._loaded_at = -math.inf

    async def get(self) -> T:
        """Raises what `load` raises; a failure is not kept."""
        async with self._lock:
            if time.monotonic() - self._loaded_at >= self._for_s:
                self._value = await self._load()
                self._loaded_at = time.monotonic()
            return self._value
