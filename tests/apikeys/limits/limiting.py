"""Helpers for tests of limits: callers with limits, and limiters as two web processes have them."""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from apikeys.errors import LimitReached
from apikeys.limits.limiter import Limiter
from apikeys.principal import Limits, Principal

ROOT = Path(__file__).resolve().parents[3]
_ids = itertools.count(os.getpid() * 1_000_000)


def caller(**limits: int) -> Principal:
    """Returns the principal of a key that has no counters in Redis yet."""
    return Principal(next(_ids), "alice", "ak-1...", False, True, False, None, Limits(**limits))


@asynccontextmanager
async def limiters(count: int = 2, *, url: str = "", lease_s: float = 15) -> AsyncIterator[list[Limiter]]:
    """Yields running limiters with separate connections, as those of separate processes."""
    async with AsyncExitStack() as stack:
        made = [Limiter(url or os.environ["REDIS_URL"], lease_s=lease_s) for _ in range(count)]
        for limiter in made:
            await stack.enter_async_context(limiter.running())
        yield made


async def is_admitted(limiter: Limiter, principal: Principal) -> bool:
    try:
        await limiter.admit(principal)
    except LimitReached:
        return False
    return True


async def runs(limiter: Limiter, principal: Principal, seconds: float = 0) -> bool:
    try:
        async with limiter.permit(principal):
            await asyncio.sleep(seconds)
    except LimitReached:
        return False
    return True


async def spend(limiter: Limiter, principal: Principal, tokens: int) -> None:
    async with limiter.permit(principal) as permit:
        permit.charge(tokens)


def questions(limiter: Limiter, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of the commands that the limiter sends from now on."""
    asked: list[str] = []
    execute = limiter._store.redis.execute_command

    async def counted(*command: Any, **options: Any) -> Any:
        asked.append(command[0])
        return await execute(*command, **options)

    monkeypatch.setattr(limiter._store.redis, "execute_command", counted)
    return asked


def program(script: str, *args: object) -> Sequence[str]:
    """Returns the command of a process that runs `script` with Django, `Limiter` and `caller_of`."""
    head = (
        "import asyncio, json, os, sys, django; django.setup()\n"
        "from apikeys.errors import LimitReached\n"
        "from apikeys.limits.limiter import Limiter\n"
        "from apikeys.principal import Limits, Principal\n"
        "def caller_of(id, **limits):\n"
        "    return Principal(id, 'alice', 'ak-1...', False, True, False, None, Limits(**limits))\n"
        "args = json.loads(sys.argv[1])\n"
    )
    return [sys.executable, "-c", head + script, json.dumps(args)]
