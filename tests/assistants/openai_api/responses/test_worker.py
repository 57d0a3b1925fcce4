"""The worker of responses in the background, without rows."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from assistants.openai_api.responses.worker import BackgroundResponses


async def test_a_response_that_is_claimed_again_at_once_is_still_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its lease is renewed by what is known here: a run that waited ends after the next one has begun."""
    ends = [asyncio.Event(), asyncio.Event()]
    waiting = iter(ends)

    async def respond(*_: Any) -> None:
        await next(waiting).wait()

    monkeypatch.setattr(BackgroundResponses, "_respond", respond)
    job, row = BackgroundResponses(), SimpleNamespace(pk=1)
    job._start(row)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    job._start(row)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    for number, end in enumerate(ends, start=1):
        end.set()
        await asyncio.sleep(0.01)
        assert len(job._running) == 2 - number
