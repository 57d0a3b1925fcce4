"""Redis behind Sentinel loses its primary, while a sentinel hangs: chats go on, and limits hold."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import httpx
from django.conf import settings

from apikeys import actions as key_actions
from assistants.models import Assistant
from config.tasks import last_beat_s
from tests.chaos.load import Answer, Customer, Load, open_shop
from tests.chaos.sampler import Sampler
from tests.chaos.scene import BY, all_run, register_one
from tests.chaos.sentinels import Redundant
from tests.chaos.world import World, wait_for

BACK_WITHIN_S = 15.0
ANSWERS_WITHIN_S = 10.0
LIMIT, USED = 30, 25
HELD_S = 10


def run(world: World, *, seconds: float, seed: int) -> list[str]:
    """Returns what was wrong; `seconds` and `seed` change nothing here."""
    with ExitStack() as ending:
        redundant = Redundant(world, os.environ["REDIS_URL"])
        ending.callback(redundant.close)
        settings.REDIS_URL = redundant.url  # of this process, too
        scene = _Scene(world, redundant)
        ending.callback(scene.sampler.kill_everything)
        scene.load.start()
        try:
            scene.lose_primary()
            scene.return_first()
        finally:
            scene.load.end()
            scene.sampler.end()
        return scene.wrong()


class _Scene:
    def __init__(self, world: World, redundant: Redundant) -> None:
        self._world, self._redundant = world, redundant
        self._failures: list[str] = []
        self._tokens = count()
        calls = world.folder / "calls"
        servers = [register_one(world, "server", log=calls)]
        key = open_shop(servers)
        given = {"REDIS_URL": redundant.url, **world.start_llm()}
        self._url = world.start_web("web", **given)
        self._strict_url = world.start_web("strict", **given, RATE_LIMIT_FAILS_OPEN="false")
        world.start_worker("mcp@sentinel", **given)
        world.start_beats(1, **given)
        self._customer = Customer(self._url, key)
        wait_for(lambda: all_run(servers), within_s=60, what="the server runs at first")
        wait_for(self._is_well, within_s=60, what="everything works at first")
        wait_for(lambda: Customer(self._strict_url, key).ready().status, within_s=60, what="both webs answer")
        self.load = Load(self._url, key, "server__echo", calls, bound_s=ANSWERS_WITHIN_S)
        self.sampler = Sampler(world.run)
        self.sampler.start()

    def lose_primary(self) -> None:
        limited = self._limited("by the minute", requests_per_minute=LIMIT)
        for _ in range(USED):
            self._expect("a chat within its limit", limited.chat(), 200, "")
        one_at_once = self._limited("at once", concurrent_requests=1)
        unlimited = self._limited("far from it", requests_per_minute=1000)
        named = {"idempotency-key": "once"}
        first = self._named_chat(named)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(one_at_once.call, "server__sleep", s=HELD_S, token="held")
            time.sleep(1)
            at = self._fail_over(unlimited)
            self._expect("a second request at once", one_at_once.chat(), 429, "rate_limit_exceeded")
            self._expect("the first one", held.result(), 200, "")
        self._recovers("the primary was lost", at)
        self._redundant.sentinels[0].thaw()
        allowed = [limited.chat() for _ in range(2 * LIMIT)]
        passed = sum(each.status == httpx.codes.OK for each in allowed)
        print(
            f"of {2 * LIMIT} requests after the failover {passed} passed: {USED} of {LIMIT} were used before"
        )
        if passed > LIMIT - USED:
            self._failures.append(f"{passed} requests passed beyond {USED} of {LIMIT}")
        if self._named_chat(named).body != first.body:
            self._failures.append("a chat with the same Idempotency-Key was made anew")

    def return_first(self) -> None:
        self._redundant.return_first()
        self._recovers("the old primary came back", time.time())

    def wrong(self) -> list[str]:
        wait_for(lambda: not self.load.lost(), within_s=30, what=f"nothing is lost: {self.load.lost()[:9]}")
        print(f"{dict(sorted(self.load.outcomes.items()))}; {self.sampler.samples} samples")
        refused = {each: n for each, n in self.load.outcomes.items() if not each.split()[1].startswith("2")}
        ended = [each.name for each in (*self._world.workers, *self._world.helpers) if not each.is_alive]
        return [
            *self._failures,
            *self.load.faults,
            *(f"not answered, though Redis is not needed: {each}, {n} times" for each, n in refused.items()),
            *(f"two owners of {overlap}" for overlap in self.sampler.overlaps),
            *(f"{name} has ended" for name in ended),
        ]

    def _fail_over(self, unlimited: Customer) -> float:
        """Returns when, as a Unix time. A sentinel hangs, as if it had been on the primary's host."""
        at, began = time.time(), time.monotonic()
        self._redundant.sentinels[0].freeze()
        self._redundant.primary.kill()
        strict = Customer(self._strict_url, unlimited.key)
        refused = [answer for _ in range(5) if (answer := strict.chat()).status != httpx.codes.OK]
        for answer in refused:
            self._expect("a key that must be limited", answer, 503, "limits_unavailable")
        is_promoted = lambda: self._redundant.role(self._redundant.second) == "master"  # noqa: E731
        wait_for(is_promoted, within_s=BACK_WITHIN_S, what="the replica is the primary")
        print(f"the replica was promoted after {time.monotonic() - began:.1f} s")
        wait_for(
            lambda: strict.chat().status == 200, within_s=BACK_WITHIN_S, what="limits can be counted again"
        )
        print(
            f"keys are limited again after {time.monotonic() - began:.1f} s; {len(refused)} of 5 were refused"
        )
        return at

    def _recovers(self, what: str, at: float) -> None:
        began = time.monotonic()
        wait_for(self._is_well, within_s=BACK_WITHIN_S, what=f"chats and calls after {what}")
        wait_for(lambda: (last_beat_s() or 0) > at, within_s=60, what=f"beat and its worker after {what}")
        print(f"{what}: beat and its worker after {time.monotonic() - began:.1f} s")

    def _is_well(self) -> bool:
        ready = self._customer.ready().body or {}
        call = self._customer.call("server__echo", token=f"well {next(self._tokens)}")
        return ready.get("status") == "ok" and call.status == 200 and self._customer.chat().status == 200

    def _limited(self, name: str, **limits: int) -> Customer:
        issued = key_actions.issue(
            by=BY, name=name, assistant_ids=Assistant.objects.values_list("pk", flat=True), **limits
        )
        return Customer(self._url, issued.key)

    def _named_chat(self, headers: dict[str, str]) -> Answer:
        said = [{"role": "user", "content": "Say it once."}]
        body = {"model": "talk", "messages": said}
        return self._customer.ask("POST", "/v1/chat/completions", json=body, headers=headers)

    def _expect(self, what: str, answer: Answer, status: int, code: str) -> None:
        if (answer.status, answer.code) != (status, code):
            self._failures.append(f"{what}: {answer}")
