"""Approvals in a storm: calls wait, are decided about and made, while everything but their server is killed.

The server counts: nothing is called before a yes, or without one, and nothing twice for one. Every caller is
told what became of its call. `unknown outcome` is told where a worker was lost with it, and for nothing else.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import orjson

from apikeys import actions as key_actions
from assistants import actions
from assistants.models import Approval, Approver, Effect, Rule
from tests.chaos.approval_parties import Callers, Deciders
from tests.chaos.approval_scene import Installation
from tests.chaos.scene import BY, all_run, reconnect, register_one
from tests.chaos.world import World, wait_for
from tools.models import MCPTool

CALLS, KEYS = 200, 5
PAUSES_S = 0.2, 1.5
CALM_WITHIN_S = 120.0
KNOWN_AT_LEAST = 0.5
"""The share of the calls that were made whose result arrives."""


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong."""
    random, log = Random(seed), world.folder / "calls"
    installation, began = Installation(world), time.monotonic()
    keys, deciding = _scene(world, log)
    installation.start()
    wait_for(lambda: all_run([MCPTool.objects.get().pk]), within_s=60, what="the server runs at first")
    wait_for(installation.is_ready, within_s=60, what="the web processes answer at first")
    callers = Callers(installation.urls, keys, CALLS, seed)
    deciders = Deciders(installation.urls, deciding, seed)
    _blow(installation, callers, seconds / 2, random, until=lambda: callers.have_all_asked)
    early = _made(log)
    _blow(installation, deciders, seconds / 2, random, until=lambda: callers.are_done)
    for parties in (callers, deciders):
        parties.end()
    reconnect()
    told, states = Counter(callers.told.values()), Counter(Approval.objects.values_list("state", flat=True))
    print(f"struck: {dict(installation.struck)}; told: {dict(told)}; rows: {dict(states)}")
    print(f"{deciders.conflicts} decisions came second; {time.monotonic() - began:.0f} s")
    failures = [f"called before anybody agreed: {token}" for token in early]
    return failures + callers.odd + _wrong(callers, _made(log))


def _scene(world: World, log: Path) -> tuple[list[str], str]:
    """Returns the keys of the callers, and the one that decides."""
    register_one(world, "payments", log=log)
    issued = [key_actions.issue(by=BY, name=f"caller {number}") for number in range(KEYS)]
    users = [each.api_key for each in issued]
    actions.create(by=BY, name="Shop", tools=[MCPTool.objects.get()], api_keys=users)
    Rule.objects.create(name="Everything", effect=Effect.ASK, approver=Approver.STAFF)
    return [each.key for each in issued], key_actions.issue(by=BY, name="decider", can_approve=True).key


def _blow(
    installation: Installation,
    parties: Callers | Deciders,
    seconds: float,
    random: Random,
    *,
    until: Callable[[], bool],
) -> None:
    """Has the parties work while faults strike for these seconds, and then until they are done."""
    parties.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        installation.strike(random)
        time.sleep(random.uniform(*PAUSES_S))
        installation.tend()
    wait_for(installation.is_ready, within_s=CALM_WITHIN_S, what="the web processes answer again")
    wait_for(until, within_s=CALM_WITHIN_S, what=f"{type(parties).__name__} are done")


def _made(log: Path) -> Counter[str]:
    """Returns how often the server was called, by token."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    return Counter(str(orjson.loads(line)["token"]) for line in lines)


def _wrong(callers: Callers, made: Counter[str]) -> list[str]:
    """Compares what the server has counted with the rows: whose answer was lost may have asked anew."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for row in Approval.objects.all():
        rows[row.arguments["token"]][row.state] += 1
    failures = [f"{token}: {dict(states)}" for token, states in rows.items() if states.keys() & ODD]
    for token, states in rows.items():
        done, unknown = states["done"], states["unknown_outcome"]
        if not done <= made[token] <= done + unknown:
            failures.append(f"called {made[token]} times: {token}, {dict(states)}")
        if callers.told.get(token) == "result" and not done:
            failures.append(f"a result of nothing: {token}")
    done, unknown = (sum(each[state] for each in rows.values()) for state in ("done", "unknown_outcome"))
    if done < KNOWN_AT_LEAST * (done + unknown):
        failures.append(f"too many unknown outcomes: {unknown}, with {done} results")
    return failures


ODD = {"approved", "running", "cancelled", "expired"}
"""States in which nothing may be left: nobody takes anything away here, and all workers are back."""
