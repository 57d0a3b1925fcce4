"""Every process of the chat path is replaced under load, one after the other, and no request fails."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from config.runner.network import free_port
from connector.models import Worker
from tests.journeys.balancer import Balancer
from tests.stack import Stack, wait_for
from tools.models import MCPTool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WEBS = ("rolling-web-a", "rolling-web-b")
DELAY_S, DRAIN_S = 3, 30
A_SECOND = 3
"""Of each kind. Four processes are started meanwhile, on a machine that runs other tests."""
SERVERS = 3
ERA = "2025-11-25"


class Load:
    """Sends chats with a call, streamed and not, and calls over MCP, and counts what became of them."""

    def __init__(self, balancer: Balancer, models: list[str], addresses: list[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._balancer, self._models, self._addresses = balancer, models, addresses
        self._sessions: dict[str, str] = {}
        self._ended = threading.Event()
        self._requests: list[threading.Thread] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        kinds = [
            threading.Thread(target=self._run, args=[kind]) for kind in (self.chat, self.stream, self.mcp)
        ]
        for thread in kinds:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in [*kinds, *self._requests]:
                thread.join()

    def _run(self, kind: Callable[[int], str]) -> None:
        number = 0
        while not self._ended.wait(1 / A_SECOND):
            number += 1
            request = threading.Thread(target=self._send, args=[kind, number])
            self._requests.append(request)
            request.start()

    def _send(self, kind: Callable[[int], str], number: int) -> None:
        began = time.monotonic()
        try:
            wrong = kind(number)
        except (httpx.HTTPError, LookupError, ValueError) as error:
            wrong = repr(error)
        self.counts[kind.__name__] += 1
        if wrong:
            took = time.monotonic() - began
            self.failures.append(f"{kind.__name__} {number}, after {took:.1f} s: {wrong}")

    def chat(self, number: int) -> str:
        """Returns what was wrong, if anything was."""
        answer = self._balancer.next().post("/v1/chat/completions", json=self._body(number))
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text}"
        made = answer.json()["choices"][0]["message"]["mcp_connector"]["tool_calls"]
        return "" if [each["status"] for each in made] == ["ok"] else str(made)

    def stream(self, number: int) -> str:
        body = {**self._body(number), "stream": True}
        text = self._balancer.next().post("/v1/chat/completions", json=body).text
        is_whole = text.strip().endswith("data: [DONE]") and '"error"' not in text
        return "" if is_whole else text[-500:]

    def mcp(self, number: int) -> str:
        """A session that was opened at one process goes on at all others."""
        address = self._addresses[number % SERVERS]
        if address not in self._sessions:
            hello = {"protocolVersion": ERA, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
            opened = self._ask(address, "initialize", hello, {})
            self._sessions[address] = opened.headers["mcp-session-id"]
        session = {"mcp-session-id": self._sessions[address]}
        answer = self._ask(address, "tools/call", {"name": "pid", "arguments": {}}, session)
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text}"
        # Of a call that takes long the answer is a stream.
        data = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data:")]
        result = json.loads(data[-1] if data else answer.text).get("result", {})
        return "" if result.get("content") and not result.get("isError") else answer.text

    def _ask(self, address: str, method: str, params: Any, headers: dict[str, str]) -> httpx.Response:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = {"accept": "application/json, text/event-stream"}
        return self._balancer.next().post(address, json=message, headers={**accept, **headers})

    def _body(self, number: int) -> dict[str, Any]:
        said = [{"role": "user", "content": "What is the pid?"}]
        return {"model": self._models[number % SERVERS], "messages": said, "tool_choice": "required"}


class Processes:
    def __init__(self, stack: Stack, balancer: Balancer) -> None:
        self._stack, self._balancer = stack, balancer
        self._ports = {name: free_port() for name in WEBS}

    def start_web(self, name: str) -> None:
        port = self._ports[name]
        url = f"http://127.0.0.1:{port}"
        command = self._stack.web_command(port)
        self._stack.start_process(name, command, SHUTDOWN_DELAY_S=str(DELAY_S), WEB_DRAIN_S=str(DRAIN_S))
        self._balancer.add(url)
        wait_for(lambda: url in self._balancer.ready(), within_s=120)

    def start_mcp_worker(self, name: str) -> None:
        celery = list(self._stack.process("mcp").program.argv)
        self._stack.start_process(name, [*celery[:-1], f"{name}@journeys"], SUPERVISOR_DRAIN_S="8")
        self.wait_for_mcp_workers(2)

    def wait_for_mcp_workers(self, number: int) -> None:
        with self._stack.database():
            wait_for(lambda: Worker.objects.alive().count() == number, within_s=120)

    def end(self, name: str) -> None:
        popen = self._stack.process(name).popen
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(60) == 0


@pytest.fixture
def servers(stack: Stack) -> list[MCPTool]:
    return [stack.server(f"Rolling {number}") for number in range(SERVERS)]


def test_nothing_fails_while_every_process_is_replaced(stack: Stack, servers: list[MCPTool]) -> None:
    key = stack.key("rolling")
    models = [f"rolling-{number}" for number in range(SERVERS)]
    for model, server in zip(models, servers, strict=True):
        stack.assistant(model, server, keys=(key,))
    balancer = Balancer(key.key)
    processes = Processes(stack, balancer)
    load = Load(balancer, models, [f"/mcp/s/{server.slug}" for server in servers])
    with ExitStack() as ends:
        ends.enter_context(balancer.probing())
        for name in WEBS:
            processes.start_web(name)
            ends.callback(stack.process(name).stop, timeout_s=10)
        processes.start_mcp_worker("mcp-b")
        with load.running():
            for name in WEBS:
                processes.end(name)
                processes.start_web(name)
            processes.end("mcp")
            stack.start_process("mcp")
            processes.wait_for_mcp_workers(2)
            processes.end("mcp-b")
            time.sleep(2)
    assert load.counts["chat"] > 20
    assert load.counts["mcp"] > 20
    assert not load.failures, f"of {dict(load.counts)}:\n" + "\n".join(load.failures[:10])
