"""core.group_commit: what comes while a batch is committed is the next batch."""

import asyncio
from collections.abc import Sequence

import pytest

from core.group_commit import GroupCommit


class Commits:
    """Commits that last until they are let through. `batches` began, in order."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_end = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> None:
        self.batches.append(list(items))
        await self.may_end.wait()


async def begun(*tasks: asyncio.Task[None]) -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_is_committed_together() -> None:
    commits = Commits()
    group = GroupCommit(commits)
    first = asyncio.create_task(group.add(1))
    await begun()
    others = [asyncio.create_task(group.add(number)) for number in (2, 3, 4)]
    await begun()
    assert commits.batches == [[1]]
    assert not first.done()
    commits.may_end.set()
    await asyncio.gather(first, *others)
    assert commits.batches == [[1], [2, 3, 4]]


async def test_a_caller_who_leaves_takes_nothing_along() -> None:
    commits = Commits()
    group = GroupCommit(commits)
    leaver, stayer = (asyncio.create_task(group.add(number)) for number in (1, 2))
    await begun()
    leaver.cancel()
    await asyncio.wait([leaver])
    commits.may_end.set()
    await stayer
    assert commits.batches == [[1, 2]]
    await group.add(3)
    assert commits.batches == [[1, 2], [3]]


async def test_a_failure_is_that_of_its_batch_alone() -> None:
    async def commit(items: Sequence[int]) -> None:
        await asyncio.sleep(0)
        if 1 in items:
            raise ValueError

    group = GroupCommit(commit)
    bad = asyncio.create_task(group.add(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    good = asyncio.create_task(group.add(2))
    with pytest.raises(ValueError):  # noqa: PT011 - ours
        await bad
    await good
