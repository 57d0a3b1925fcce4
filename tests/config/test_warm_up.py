"""What the first chat would do is done when a web process starts, which neither awaits it nor fails by it."""

import asyncio
import logging
import time

import pytest

from assistants.agent import run_agent
from config import warm_up
from config.application import lifespan

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_first_run_finds_what_all_runs_share(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run_agent._shared.cache_clear()
    async with asyncio.timeout(20), lifespan(None):
        while not run_agent._shared.cache_info().currsize:
            await asyncio.sleep(0.01)
    assert "without a warm-up" not in caplog.text


async def test_what_hangs_or_fails_holds_up_neither_the_start_nor_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise ConnectionError("It is away.")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(warm_up, "_PARTS", {"what hangs": hang, "what is away": fail})
    began = time.monotonic()
    async with warm_up.lifespan():
        assert "The process starts without a warm-up of what is away." in caplog.text
    assert time.monotonic() - began < 20  # what hangs would take for ever
