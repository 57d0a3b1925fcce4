"""Who is put under load: a process, or several, behind one port, and what each load is there."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from bench import processor
from bench.loading.loads import Load
from bench.processor import Kinds

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `opening`: the body of the one that opens a session of MCP at the same path."""

    method: str
    path: str
    body: bytes = b""
    opening: bytes = b""


@dataclass(slots=True)
class Target:
    """`settles_s`: how long it still works in the background for what it has answered.

    `share`: what part of a turn's time it gets; steady targets need less.
    """

    name: str
    port: int
    kinds: Kinds
    headers: dict[str, str] = field(default_factory=dict)
    settles_s: float = 0.1
    most_callers: int = 10_000
    share: float = 1.0

    def asks(self, load: Load) -> Sequence[Ask]:
        """Returns the requests of a load, to be sent in turn; none if it does not have such."""
        if load.kind == "chat" and not load.server and not load.assistant:
            return [chat(load, load.model)]
        if load.kind == "mcp" and load.server.startswith("http"):
            return [mcp(load, "/mcp/1000" if load.server == "http-1000" else "/mcp")]
        return []

    def allows(self, load: Load, callers: int) -> bool:
        return bool(self.asks(load)) and callers <= self.most_callers

    def spent(self) -> dict[str, float]:
        return processor.spent(self.kinds)

    def memory(self) -> dict[str, float]:
        return processor.memory(self.kinds)


def chat(load: Load, model: str, **more: object) -> Ask:
    tools = {"tools": load.definitions} if load.tools else {}
    body = {"model": model, "messages": load.conversation, "stream": load.is_streamed, **tools, **more}
    return Ask("POST", "/v1/chat/completions", orjson.dumps(body))


def mcp(load: Load, path: str) -> Ask:
    call = {"jsonrpc": "2.0", "id": 1, "method": load.method, "params": load.params}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
    return Ask("POST", path, orjson.dumps(call), orjson.dumps(opening))
