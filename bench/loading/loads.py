"""What is asked under load, and what each answer must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["chat", "mcp", "search", "console"]


@dataclass(frozen=True, slots=True)
class Load:
    """One request, sent again and again.

    Of a chat, `model` is that of `bench.upstream`, `assistant` ours where that is another, and `tools` how
    many the caller brings; of MCP, `server` is "stdio", "http" or "http-1000". The body of a right answer
    holds `counted` so many `times`. Goals are CPU-ms of all our processes a request at 16 callers, `must` and
    then `aim`; `wait_ms` is what one caller may wait, at the 95th percentile, and `over_upstream_ms` the same
    at the median, beyond what the LLM service takes.
    """

    key: str
    name: str
    kind: Kind
    counted: bytes
    times: int = 1
    model: str = ""
    assistant: str = ""
    messages: int = 1
    tools: int = 0
    words: int = 3
    is_streamed: bool = False
    server: str = ""
    method: str = ""
    must: float | None = None
    aim: float | None = None
    wait_ms: float | None = None
    over_upstream_ms: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def is_right(self, body: bytes, text: bytes) -> bool:
        """Tells whether this is the answer to a request with `text`, which only a call of MCP has."""
        if self.is_streamed and b"[DONE]" not in body:
            return False
        if self.method == "tools/call":
            return text in body
        return body.count(self.counted) == self.times

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools that the caller of a chat brings."""
        described = "Does what its name says, with a text and a number, and answers with what came of it."
        return [
            {
                "type": "function",
                "function": {"name": f"mine_{index}", "description": described, "parameters": _PARAMETERS},
            }
            for index in range(self.tools)
        ]

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The messages of a chat, from both sides in turn, the last from the user."""
        roles = ("assistant", "user")
        return [
            {"role": roles[(self.messages - index) % 2], "content": "hello " * self.words}
            for index in range(self.messages)
        ]


TEXT = "t000000000000"
"""Stands in requests for a text of the same length that no other request has."""
_WORD = b"word"
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "What for."}, "number": {"type": "integer"}},
    "required": ["text"],
}
_CALL: dict[str, Any] = {"name": "echo7", "arguments": {"text": TEXT}}

LOADS = (
    Load("chat", "chat", "chat", _WORD, model="chunks-1", must=2.0, aim=1.0, over_upstream_ms=3.0),
    Load("streamed", "streamed chat, 20 chunks", "chat", _WORD, 20, "chunks-20", is_streamed=True,
         must=2.5, aim=1.5, over_upstream_ms=3.0),
    Load("tool-stdio", "chat, one tool over stdio", "chat", _WORD, model="tool-1", server="stdio",
         must=6.0, aim=5.0),
    Load("tool-http", "chat, one tool over HTTP", "chat", _WORD, model="tool-1", server="http",
         must=6.0, aim=5.0),
    Load("large", "chat of 400 KB", "chat", _WORD, model="chunks-1", words=66_000, must=6.0, aim=3.0),
    Load("history-10", "chat of 10 messages", "chat", _WORD, model="chunks-1", messages=9, words=20),
    Load("history-100", "chat of 100 messages", "chat", _WORD, model="chunks-1", messages=99, words=20),
    Load("history", "chat of 500 messages", "chat", _WORD, model="chunks-1", messages=499, words=20),
    Load("client-tools", "chat, 128 tools of the caller", "chat", _WORD, model="chunks-1", tools=128),
    Load("of-20", "chat, tools selected of 20", "chat", _WORD, model="chunks-1", assistant="of-20"),
    Load("of-1000", "chat, tools selected of 1,000", "chat", _WORD, model="chunks-1", assistant="of-1000"),
    Load("long", "streamed chat, 2,000 chunks", "chat", _WORD, 2000, "chunks-2000", is_streamed=True,
         must=60.0),
    Load("call-stdio", "tools/call over stdio", "mcp", b"", server="stdio", method="tools/call",
         params=_CALL, must=4.0, aim=0.6),
    Load("call-http", "tools/call over HTTP", "mcp", b"", server="http", method="tools/call",
         params=_CALL, must=4.0, aim=0.6),
    Load("list-200", "tools/list of 200", "mcp", b'"inputSchema"', 200, server="http", method="tools/list",
         must=3.0, aim=0.3),
    Load("list-1000", "tools/list of 1,000", "mcp", b'"inputSchema"', 1000, server="http-1000",
         method="tools/list", must=3.0, aim=0.3),
    Load("search", "search of 10,000 tools", "search", b'"public_name"', 10, wait_ms=40.0),
    Load("console", "lists of the console", "console", b"</html>", wait_ms=300.0),
)  # fmt: skip
BY_KEY = {load.key: load for load in LOADS}
