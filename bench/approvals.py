"""What a thousand calls that wait for a decision cost: who waits for them, the database and beat's tasks."""

import asyncio
import time
from collections.abc import Awaitable

from django.contrib.auth.models import Group, User

from apikeys import actions as key_actions
from apikeys import authentication
from assistants import actions, catalogue
from assistants.actions import approval_ends, approvals
from assistants.approvals import Asker, Outcome, Question, ask, outcome, waiting
from assistants.models import Approval, Effect
from assistants.rules import Verdict
from bench.figures import Figure
from bench.processor_time import spent_s
from core import feed
from core.actor import Actor
from core.database import in_thread
from tests.chaos.scene import BY
from tests.chaos.world import World
from tools import actions as tool_actions
from tools.functions import catalogue as tool_catalogue

WAITING, OF_A_KEY, DECIDED = 1_000, 50, 40
SETTLE_S, TURN_S, TURNS = 5.0, 5.0, 3
TOOL = {"name": "pay", "inputSchema": {"type": "object"}}


def measure(world: World) -> list[Figure]:
    keys, by = _scene()
    return asyncio.run(_measure(world, keys, by))


async def _measure(world: World, keys: list[int], by: Actor) -> list[Figure]:
    async with feed.listening(), waiting.lifespan():
        await asyncio.sleep(SETTLE_S)
        idle = [await _spent_ms(world) for _ in range(TURNS)]
        asked, numbers = await _asked(keys)
        waiters = {number: asyncio.create_task(outcome(number, wait_s=600)) for number in numbers}
        await asyncio.sleep(SETTLE_S)
        busy = [await _spent_ms(world) for _ in range(TURNS)]
        tended = [await _tended_ms(world) for _ in range(TURNS)]
        woken = [await _woken_ms(number, waiters.pop(number), by) for number in numbers[:DECIDED]]
        for waiter in waiters.values():
            waiter.cancel()
    added = [one - other for one, other in zip(sorted(busy), sorted(idle), strict=True)]
    return [
        Figure("a question, while up to a thousand wait", asked, "ms"),
        Figure("processor of this process and PostgreSQL, nothing waits", idle, "ms a second"),
        Figure("what a thousand waiting calls add", added, "ms a second", goal=2),
        Figure("processor for what beat has done about them each minute", tended, "ms", goal=100),
        Figure("from a decision to who waits, one of a thousand", woken, "ms", goal=50),
    ]


def _scene() -> tuple[list[int], Actor]:
    """Returns the ids of the keys that ask, and who decides."""
    server = tool_actions.register(by=BY, name="Bank", connection_type="stdio", command="python")
    tool_catalogue.record(server.pk, [TOOL])
    keys = [key_actions.issue(by=BY, name=f"key {n}").api_key for n in range(WAITING // OF_A_KEY)]
    actions.create(by=BY, name="Shop", tools=[server], api_keys=keys)
    person = User.objects.create(username="operator", is_staff=True)
    person.groups.add(Group.objects.get(name="operator"))
    return [key.pk for key in keys], Actor("staff", person.username, person.pk)


async def _asked(keys: list[int]) -> tuple[list[float], list[int]]:
    """Asks about as many calls as keys may have waiting. Returns the ms that each took, and the numbers."""
    assistant = await catalogue.enabled("shop")
    took, numbers = [], []
    for key_id in keys:
        principal = await authentication.principal_of(key_id)
        for number in range(OF_A_KEY):
            asker = Asker(principal, f"run {key_id}-{number}", assistant=assistant)
            arguments = {"to": f"{key_id}-{number}"}
            verdict = Verdict(Effect.ASK, arguments)
            began = time.perf_counter()
            ticket = await ask(Question(asker, assistant.functions[0], arguments, verdict))
            took.append((time.perf_counter() - began) * 1000)
            numbers.append(ticket.number)
    return took, numbers


async def _spent_ms(world: World) -> float:
    """Returns the processor time a second of this process's own loop and of PostgreSQL."""
    before = _spent_s(world)
    await asyncio.sleep(TURN_S)
    return (_spent_s(world) - before) * 1000 / TURN_S


def _spent_s(world: World) -> float:
    return time.process_time() + spent_s(world.postgres.pid)


async def _tended_ms(world: World) -> float:
    before = _spent_s(world)
    await _tend()
    return (_spent_s(world) - before) * 1000


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


@in_thread
def _tend() -> None:
    approval_ends.expire()
    approval_ends.cancel_orphans()
    approval_ends.are_to_be_made()


async def _woken_ms(number: int, waiter: "asyncio.Task[Outcome | None]", by: Actor) -> float:
    """Returns the time from the end of the decision until the waiter has the outcome."""
    await _reject(number, by)
    return await _timed(waiter)


@in_thread
def _reject(number: int, by: Actor) -> None:
    approvals.reject(Approval.objects.get(pk=number), by=by)
