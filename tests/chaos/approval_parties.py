"""The parties of a storm of approvals: programs that call a tool, and those that decide. All try again."""

import threading
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import httpx

TOOL = "/api/v1/assistants/shop/tools/payments__sleep"
CALL_S = 0.3
"""Long enough for a worker to be killed during the call, now and then."""
APPROVALS = "/api/v1/approvals"
TIMEOUT_S = 10.0
AGAIN_S = 0.5
APPROVED_SHARE = 0.8


class Parties:
    """Threads that work until they are told to end, each with a connection of its own."""

    def __init__(self, urls: list[str], number: int, seed: int) -> None:
        self._urls, self._random = urls, Random(seed)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._live, daemon=True) for _ in range(number)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)

    def work(self, send: "Send") -> None:
        raise NotImplementedError

    def _live(self) -> None:
        with httpx.Client(timeout=TIMEOUT_S) as client:

            def send(method: str, path: str, key: str, **options: Any) -> httpx.Response | None:
                """Returns None where a process was killed, or said that something is away."""
                headers = {"authorization": f"Bearer {key}"}
                url = self._random.choice(self._urls) + path
                try:
                    answer = client.request(method, url, headers=headers, **options)
                except httpx.HTTPError:
                    return None
                return None if answer.status_code >= 500 else answer

            while not self._ended.is_set():
                self.work(send)


Send = Callable[..., httpx.Response | None]


class Callers(Parties):
    """Make each call again and again, with the same arguments, until they are told what became of it.

    `asked`: what they know to wait; `told`: `result`, `not_approved` or `unknown_outcome`, by token.
    """

    def __init__(self, urls: list[str], keys: list[str], calls: int, seed: int) -> None:
        super().__init__(urls, 12, seed)
        self._keys, self._calls = keys, calls
        self._left = deque((f"call {number}", keys[number % len(keys)]) for number in range(calls))
        self.asked: set[str] = set()
        self.told: dict[str, str] = {}
        self.odd: list[str] = []

    @property
    def have_all_asked(self) -> bool:
        return len(self.asked) == self._calls

    @property
    def are_done(self) -> bool:
        return len(self.told) == self._calls

    def work(self, send: Send) -> None:
        try:
            token, key = self._left.popleft()
        except IndexError:  # all are in other threads' hands, or told
            time.sleep(AGAIN_S)
            return
        answer = send("POST", TOOL, key, json={"token": token, "s": CALL_S})
        if answer is not None and (told := self._read(token, answer)):
            self.told[token] = told
        else:
            self._left.append((token, key))
            time.sleep(AGAIN_S)

    def _read(self, token: str, answer: httpx.Response) -> str:
        if answer.is_success:
            return "result"
        kind = str(answer.json()["error"]["type"])
        if kind == "approval_pending":
            self.asked.add(token)
            return ""
        if kind not in {"not_approved", "unknown_outcome"}:
            self.odd.append(f"{token}: {answer.status_code} {answer.text[:300]}")
        return kind


class Deciders(Parties):
    """Decide about whatever waits, at the same time about the same."""

    def __init__(self, urls: list[str], key: str, seed: int) -> None:
        super().__init__(urls, 3, seed)
        self._key = key
        self.conflicts = 0

    def work(self, send: Send) -> None:
        listed = send("GET", f"{APPROVALS}?state=waiting&limit=20", self._key)
        for row in listed.json() if listed is not None else ():
            verb = "approve" if self._random.random() < APPROVED_SHARE else "reject"
            answer = send("POST", f"{APPROVALS}/{row['number']}/{verb}", self._key, json={})
            self.conflicts += answer is not None and answer.status_code == httpx.codes.CONFLICT
        time.sleep(AGAIN_S)
