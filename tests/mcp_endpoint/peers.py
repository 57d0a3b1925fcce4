"""Clients of each version of MCP on plain HTTP, so that every message is seen as it was sent."""

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import httpx2

STATELESS = "2026-07-28"
VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25", STATELESS)
ACCEPT = {"accept": "application/json, text/event-stream"}
META = "io.modelcontextprotocol/"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

Message = dict[str, Any]


class Peer:
    """One client. `nonces` are the words that it has sent: no other ones may come to it."""

    def __init__(self, http: httpx2.AsyncClient, url: str, version: str, capabilities: Message) -> None:
        self.version, self.is_stateless = version, version == STATELESS
        self.told: list[Message] = []
        self.nonces: set[str] = set()
        self.follows = asyncio.Event()
        self._http, self._url, self._capabilities = http, url, capabilities
        self._ids = itertools.count(1)
        self._has_news = asyncio.Event()

    def nonce(self) -> str:
        word = f"n{secrets.token_hex(8)}"
        self.nonces.add(word)
        return word

    async def initialize(self) -> None:
        info = {"name": "peer", "version": "1"}
        params = {"protocolVersion": self.version, "capabilities": self._capabilities, "clientInfo": info}
        async with self._http.stream("POST", self._url, json=self._message("initialize", params)) as answer:
            assert answer.status_code == 200, await answer.aread()
            self._http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
            [greeting] = [message async for message in messages(answer)]
        assert greeting["result"]["protocolVersion"] == self.version
        if self.version >= "2025-06-18":
            self._http.headers["mcp-protocol-version"] = self.version
        await self.notify("notifications/initialized")

    async def request(
        self, method: str, *, on_told: Callable[[Message], object] | None = None, **params: Any
    ) -> Message:
        """Returns the whole answer: a JSON-RPC message with `result` or `error`."""
        while True:
            answer = await self._round(method, params, on_told)
            result = answer.get("result", {})
            if result.get("resultType") != "input_required":
                return answer
            assert self.is_stateless
            responses = {name: self._outcome(each) for name, each in result["inputRequests"].items()}
            params |= {"inputResponses": responses, "requestState": result.get("requestState")}

    async def call(self, tool: str, nonce: str, **more: Any) -> Message:
        """Returns the answer to a call of a tool."""
        return await self.request("tools/call", name=tool, arguments={"nonce": nonce}, **more)

    async def exchanged(self, method: str, *, message_id: str = "", **params: Any) -> AsyncIterator[Message]:
        """Yields what comes in answer to one request. Leaving it closes the connection."""
        message = {**self._message(method, params), **({"id": message_id} if message_id else {})}
        async with self._http.stream(
            "POST", self._url, json=message, headers=self._headers(message)
        ) as answer:
            async for received in messages(answer):
                yield received

    async def notify(self, method: str, **params: Any) -> None:
        await self._send({"method": method, "params": params})

    async def follow(self) -> None:
        """Puts what the session is told on its stream into `told`, for ever."""
        headers = {"accept": "text/event-stream"}
        async with self._http.stream("GET", self._url, headers=headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            self.follows.set()
            async for message in messages(answer):
                self._tell(message)

    @asynccontextmanager
    async def told_of(self, **wanted: Any) -> AsyncIterator[None]:
        """Puts what a subscription tells into `told`. A session is told on its stream, without one."""
        if not self.is_stateless:
            yield
            return
        async with beside(self._listen(wanted)):
            await self.until("notifications/subscriptions/acknowledged")
            yield

    async def _listen(self, wanted: Message) -> None:
        async with aclosing(self.exchanged("subscriptions/listen", notifications=wanted)) as received:
            async for message in received:
                self._tell(message)

    async def until(self, method: str, **params: Any) -> None:
        """Returns once a notification with these parameters has come, and forgets it."""
        while True:
            for message in self.told:
                if message.get("method") == method and params.items() <= message.get("params", {}).items():
                    self.told.remove(message)
                    return
            self._has_news.clear()
            await self._has_news.wait()

    async def _round(
        self, method: str, params: Message, on_told: Callable[[Message], object] | None
    ) -> Message:
        last: Message = {}
        async with aclosing(self.exchanged(method, **params)) as received:
            async for last in received:
                if "method" in last and "id" in last:
                    assert not self.is_stateless, last
                    await self._send({"id": last["id"], "result": self._outcome(last)})
                elif "method" in last and on_told is not None:
                    on_told(last)
        return last

    def _outcome(self, request: Message) -> Message:
        """Answers a question with its own nonce, which must be one of this client's."""
        [nonce] = re.findall(r"n[0-9a-f]{16}", json.dumps(request))
        assert nonce in self.nonces, f"{request} is somebody else's."
        if request["method"] == "elicitation/create":
            return {"action": "accept", "content": {"name": f"name of {nonce}"}}
        assert request["method"] == "sampling/createMessage"
        return {"role": "assistant", "content": {"type": "text", "text": f"about {nonce}"}, "model": "none"}

    def _message(self, method: str, params: Message) -> Message:
        if self.is_stateless:
            meta = {
                f"{META}protocolVersion": STATELESS,
                f"{META}clientCapabilities": self._capabilities,
                **params.get("_meta", {}),
            }
            params = {**params, "_meta": meta}
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def _headers(self, message: Message) -> dict[str, str]:
        if not self.is_stateless:
            return {}
        method, params = message["method"], message["params"]
        named = {"mcp-name": params[NAMED[method]]} if method in NAMED else {}
        return {"mcp-protocol-version": STATELESS, "mcp-method": method, **named}

    async def _send(self, message: Message) -> None:
        answer = await self._http.post(self._url, json={"jsonrpc": "2.0", **message})
        assert answer.status_code == 202, answer.text

    def _tell(self, message: Message) -> None:
        self.told.append(message)
        self._has_news.set()


@asynccontextmanager
async def connected(url: str, key: str, version: str, **capabilities: Any) -> AsyncIterator[Peer]:
    """A client of `version`, with what servers may ask it for."""
    headers = {"authorization": f"Bearer {key}", **ACCEPT}
    async with httpx2.AsyncClient(headers=headers, timeout=100) as http:
        peer = Peer(http, url, version, capabilities)
        if peer.is_stateless:
            yield peer
            return
        await peer.initialize()
        async with beside(peer.follow()):
            await peer.follows.wait()
            yield peer


@asynccontextmanager
async def beside(work: Any) -> AsyncIterator[None]:
    """Runs a coroutine for as long as the context lasts."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def messages(answer: httpx2.Response) -> AsyncIterator[Message]:
    """Yields the JSON-RPC messages of an answer, whether it is one or a stream of them."""
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        body = await answer.aread()
        assert body, f"HTTP {answer.status_code} without a message"
        yield json.loads(body)
        return
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            yield json.loads(line[5:])
