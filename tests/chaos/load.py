"""A load on web processes, which goes on whatever fails: callers that remember what they were told."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from assistants import actions
from assistants.models import Run
from tests.chaos.scene import BY
from tools.models import MCPTool

PAUSE_S = 0.1
LONGEST_S = 40.0
AWAY = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT}
"""What a caller may be answered while something is away; 502 and 504 are those of MCP servers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is the one of the error. A request without an answer has the status 0."""

    status: int
    code: str
    took_s: float
    body: Any


class Customer:
    """Whoever has this key. The assistant `shop` has the servers, `talk` has none."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=LONGEST_S)

    def chat(self, assistant: str = "talk", **more: Any) -> Answer:
        said = [{"role": "user", "content": "What is the pid?"}]
        return self.ask("POST", "/v1/chat/completions", json={"model": assistant, "messages": said, **more})

    def call(self, tool: str, **arguments: Any) -> Answer:
        return self.ask("POST", f"/api/v1/assistants/shop/tools/{tool}", json=arguments)

    def create_key(self, name: str) -> Answer:
        return self.ask("POST", "/api/v1/api-keys", json={"name": name})

    def ready(self) -> Answer:
        return self.ask("GET", "/ready")

    def post(self, path: str, message: Any, headers: dict[str, str]) -> httpx.Response:
        """Posts JSON, and returns the answer as it is."""
        return self._http.post(path, json=message, headers=headers)

    def get_text(self, path: str) -> str:
        return self._http.get(path).text

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        began = time.monotonic()
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            return Answer(0, type(error).__name__, time.monotonic() - began, None)
        body = answer.json() if answer.content else None
        return Answer(answer.status_code, _code(body), time.monotonic() - began, body)


def _code(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return ""
    return str(error["type"] if "status_code" in error else error["code"])


def open_shop(servers: list[int], **limits: Any) -> str:
    """Creates the assistants; returns a key that may use them, and manage."""
    key = key_actions.issue(by=BY, name="customer", can_manage=True, **limits)
    tools = list(MCPTool.objects.filter(pk__in=servers))
    actions.create(by=BY, name="Shop", slug="shop", tools=tools, api_keys=[key.api_key])
    actions.create(by=BY, name="Talk", slug="talk", tools=[], api_keys=[key.api_key])
    return key.key


class Load:
    """Threads that chat, call a tool and create keys. In the file `calls` the server notes its calls.

    Chats are with `assistant`: where that is `shop`, with a tool in each.
    """

    def __init__(
        self, url: str, key: str, tool: str, calls: Path, *, bound_s: float, assistant: str = "talk"
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self._url, self._key, self._tool, self._calls, self._bound_s = url, key, tool, calls, bound_s
        self._assistant = assistant
        self._tokens, self._ended = count(), threading.Event()
        self._created: list[str] = []
        self._chats: list[str] = []
        self._answered: set[str] = set()
        jobs = (self._chat, self._call, self._create)
        self._threads = [threading.Thread(target=self._work, args=[job], daemon=True) for job in jobs]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Waits for what is under way."""
        self._ended.set()
        for thread in self._threads:
            thread.join(LONGEST_S)

    def lost(self) -> list[str]:
        """Returns what was said to be done and is not there, and what was done more than once."""
        lines = self._calls.read_bytes().splitlines() if self._calls.exists() else []
        made = Counter(token for line in lines if (token := orjson.loads(line).get("token")))
        names = set(ApiKey.objects.values_list("name", flat=True))
        runs = set(Run.objects.filter(status="completed").values_list("run_id", flat=True))
        return [
            *(f"called {number} times: {token}" for token, number in made.items() if number > 1),
            *(f"answered and not called: {token}" for token in self._answered - made.keys()),
            *(f"created and gone: {name}" for name in self._created if name not in names),
            *(f"answered and not recorded: {run}" for run in self._chats if run not in runs),
        ]

    def _work(self, job: Any) -> None:
        customer = Customer(self._url, self._key)
        while not self._ended.wait(PAUSE_S):
            what, answer = job(customer, f"{next(self._tokens)}")
            self.outcomes[f"{what} {answer.status} {answer.code}".strip()] += 1
            if answer.took_s > self._bound_s or not (answer.status in AWAY or 200 <= answer.status < 300):
                self.faults.append(f"{what}: {answer} ")

    def _chat(self, customer: Customer, token: str) -> tuple[str, Answer]:
        forced = {} if self._assistant == "talk" else {"tool_choice": "required"}
        answer = customer.chat(self._assistant, **forced)
        if answer.status != httpx.codes.OK:
            return "chat", answer
        told = answer.body["choices"][0]["message"]["mcp_connector"]
        self._chats.append(told["run_id"])
        has_failed = any(each["status"] != "ok" for each in told.get("tool_calls", ()))
        return "chat without its tool" if has_failed else "chat", answer

    def _call(self, customer: Customer, token: str) -> tuple[str, Answer]:
        answer = customer.call(self._tool, token=token)
        if answer.status == httpx.codes.OK:
            self._answered.add(token)
        return "call", answer

    def _create(self, customer: Customer, token: str) -> tuple[str, Answer]:
        answer = customer.create_key(f"created {token}")
        if answer.status == httpx.codes.CREATED:
            self._created.append(f"created {token}")
        return "create", answer
