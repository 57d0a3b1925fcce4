"""Items of concurrent callers that are committed together, while each of them waits for its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class GroupCommit(Generic[Item]):
    """Passes the items that come while a batch is committed on to `commit` as the next batch.

    So nobody waits for more items to come, and the more callers there are the larger are the batches.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
        self._commit = commit
        self._items: list[Item] = []
        self._next: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> None:
        """Returns once the item is committed. Raises what `commit` raised for its batch."""
        self._items.append(item)
        if self._next is None:
            self._next = asyncio.create_task(self._commit_after(self._running))
        # Shielded: a caller who leaves must not take the others' items along.
        await asyncio.shield(self._next)

    async def _commit_after(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        items, self._items = self._items, []
        self._running, self._next = self._next, None
        await self._commit(items)
