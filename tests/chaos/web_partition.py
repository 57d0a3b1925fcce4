"""A web process on a host of its own that loses services and workers: what its callers are told meanwhile."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from itertools import count
from pathlib import Path

import httpx
import orjson

from tests.chaos.load import AWAY, Answer, Customer
from tests.chaos.network import Host
from tests.chaos.world import wait_for

OK = frozenset({200, 201})
KNOWN_S = 1.5
"""Longer than what was read is served without a live feed."""
ANSWERS_WITHIN_S = 15.0
BACK_WITHIN_S = 20.0
EXPECTED = {
    "the database": {"chat": AWAY, "call": AWAY, "write": AWAY},
    "the broker": {"chat": OK, "call": OK, "write": OK},
    "the workers": {"chat": OK, "call": AWAY, "write": OK},
    "the workers' answers": {"chat": OK, "call": AWAY, "write": OK},
    "one worker": {"chat": OK, "call": OK | AWAY, "write": OK},
    "the answers of services": {"chat": AWAY, "call": AWAY, "write": AWAY},
    "everything": {"chat": AWAY, "call": AWAY, "write": AWAY},
}
"""What may be answered without each."""


class WebPartitions:
    """`calls` is the file where the servers note their calls."""

    def __init__(
        self, web: Host, workers: list[Host], customer: Customer, tools: list[str], calls: Path
    ) -> None:
        self._web, self._workers, self._customer = web, workers, customer
        self._tools, self._calls = tools, calls
        self._tokens = count()
        self._answered: list[str] = []

    def run(self) -> list[str]:
        """Returns what was wrong."""
        self._wait_until_well("at first")
        failures = [
            *self._without("the database", self._web.without("database")),
            *self._without("the broker", self._web.without("broker")),
            *self._without("the workers", self._web.without(*self._workers)),
            *self._without("the workers' answers", *(each.without(self._web) for each in self._workers)),
            *self._without("one worker", self._web.without(self._workers[0])),
            *self._without("the answers of services", self._web.unanswered()),
            *self._without("everything", self._web.cut_off(*self._workers)),
        ]
        return [*failures, *self._wrong_calls()]

    def _wrong_calls(self) -> list[str]:
        tokens = [str(orjson.loads(line).get("token")) for line in self._calls.read_bytes().splitlines()]
        made = Counter(token for token in tokens if token.startswith("web "))
        return [
            *(
                f"a call of the web was made {number} times: {token}"
                for token, number in made.items()
                if number > 1
            ),
            *(f"answered and not called: {token}" for token in self._answered if token not in made),
        ]

    def _without(self, what: str, *lost: AbstractContextManager[None]) -> list[str]:
        with ExitStack() as partition:
            for each in lost:
                partition.enter_context(each)
            with ThreadPoolExecutor(1) as pool:
                at_once = pool.submit(self._ask_all)  # when no connection is known to be dead yet
                time.sleep(KNOWN_S)
                answers = self._ask_all()
        failures = [
            *(
                f"without {what}: {job}: {each}"
                for job, each in answers
                if each.status not in EXPECTED[what][job]
            ),
            *(
                f"just without {what}: {job}: {each}"
                for job, each in at_once.result()
                if each.status not in OK | AWAY
            ),
        ]
        slowest = max(answer.took_s for _, answer in (*answers, *at_once.result()))
        if slowest > ANSWERS_WITHIN_S:
            failures.append(f"without {what} an answer took {slowest:.1f} s")
        told = Counter(f"{job} {answer.status} {answer.code}".strip() for job, answer in answers)
        print(f"the web without {what}: {dict(told)}, at most {slowest:.1f} s")
        self._wait_until_well(f"after it was without {what}")
        return failures

    def _ask_all(self) -> list[tuple[str, Answer]]:
        with ThreadPoolExecutor(8) as pool:
            asked = [
                ("chat", pool.submit(self._customer.chat)),
                ("write", pool.submit(self._customer.create_key, f"web {next(self._tokens)}")),
                *(("call", pool.submit(self._call, tool)) for tool in self._tools),
            ]
        return [(job, answer.result()) for job, answer in asked]

    def _call(self, tool: str) -> Answer:
        token = f"web {next(self._tokens)}"
        answer = self._customer.call(tool, token=token)
        if answer.status == httpx.codes.OK:
            self._answered.append(token)
        return answer

    def _wait_until_well(self, when: str) -> None:
        def is_well() -> bool:
            return all(answer.status in OK for _, answer in self._ask_all())

        took_s = wait_for(is_well, within_s=BACK_WITHIN_S, what=f"the web answers everything {when}")
        print(f"the web answers everything {when} in {took_s:.1f} s")
