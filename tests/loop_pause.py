"""Requests that are as large as they may be, and the longest pause of the event loop that answers them."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

MEGABYTES = 9  # the limit on bodies is 10 MiB
CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"
MANAGEMENT = "/api/v1/mcp-tools/import"


def _filled(unit: str, *, megabytes: float = MEGABYTES) -> str:
    return unit * int(megabytes * 1_000_000 / len(unit.encode()))


def _chat(messages: str, more: str = "") -> str:
    return f'{{"model": "MODEL", "messages": [{messages}]{more}}}'


def _user(content: str) -> str:
    return f'{{"role": "user", "content": {content}}}'


def _many(item: str, number: int) -> str:
    return ",".join([item] * number)


def _calls(arguments: str) -> str:
    call = f'{{"id": "c", "type": "function", "function": {{"name": "f", "arguments": "{arguments}"}}}}'
    turn = f'{{"role": "assistant", "content": null, "tool_calls": [{call}]}}'
    return f'{_user(HI)}, {turn}, {{"role": "tool", "tool_call_id": "c", "content": "x"}}'


def _tools(number: int, properties: int) -> str:
    schema = ",".join(f'"p{index}": {{"type": "string"}}' for index in range(properties))
    parameters = f'{{"type": "object", "properties": {{{schema}}}}}'
    tool = '{"type": "function", "function": {"name": "f%d", "parameters": PARAMETERS}}'
    return ",".join((tool % index).replace("PARAMETERS", parameters) for index in range(number))


def _object(properties: int) -> str:
    named = ",".join(f'"p{index}": {{"type": "string"}}' for index in range(properties))
    return f'{{"type": "object", "properties": {{{named}}}}}'


def _schema(schema: str) -> str:
    named = f'{{"name": "a", "schema": {schema}}}'
    return f', "response_format": {{"type": "json_schema", "json_schema": {named}}}'


def _format(properties: int) -> str:
    return _schema(_object(properties))


def _responses(items: str, more: str = "") -> str:
    return f'{{"model": "MODEL", "input": {items}{more}}}'


def _keys(number: int) -> str:
    return ",".join(f'"{index}": "x"' for index in range(number))


HI = '"hi"'
BODIES: dict[str, tuple[str, Callable[[], str]]] = {
    "nested lists": (CHAT, lambda: _chat(_user(HI), f', "x": [{_many("[" * 55 + "]" * 55, 70_000)}]')),
    "deep lists": (CHAT, lambda: _chat(_user(HI), f', "x": {"[" * 4_000_000}{"]" * 4_000_000}')),
    "empty lists": (CHAT, lambda: _chat(_user(HI), f', "x": [{_many("[]", 140_000)}]')),
    "empty objects": (CHAT, lambda: _chat(_user(HI), f', "x": [{_many("{}", 19_000)}]')),
    "numbers": (CHAT, lambda: _chat(_user(HI), f', "x": [{_many("1.2345678901234567", 140_000)}]')),
    "long numbers": (CHAT, lambda: _chat(_user(HI), f', "x": [{_many("1." + "2" * 50, 140_000)}]')),
    "one number": (CHAT, lambda: _chat(_user(HI), f', "x": 0.{_filled("1")}')),
    "keys": (CHAT, lambda: _chat(_user(HI), f', "x": {{{_keys(70_000)}}}')),
    "a key twice": (CHAT, lambda: _chat(_user(HI), f', "x": {{{_keys(70_000)}, "1": "x"}}')),
    "spaces": (CHAT, lambda: _chat(_user(HI), f', "x": {_filled(" ")}1')),
    "quotes": (CHAT, lambda: _filled('"')),
    "brackets": (CHAT, lambda: _filled("[")),
    "a text": (CHAT, lambda: _chat(_user(f'"{_filled("word ")}"'))),
    "a Chinese text": (CHAT, lambda: _chat(_user(f'"{_filled("世")}"'))),
    "a text with emoji": (CHAT, lambda: _chat(_user(f'"{_filled("xxxxxxxxx💥")}"'))),
    "a text of source code": (CHAT, lambda: _chat(_user(f'"{_filled("f({a: [b, c]}, {d: [e]}); ")}"'))),
    "escapes": (CHAT, lambda: _chat(_user(f'"{_filled(chr(92) + "u4e00")}"'))),
    "backslashes": (CHAT, lambda: _chat(_user(f'"{_filled(chr(92) * 2)}"'))),
    "NULs": (CHAT, lambda: _chat(_user(f'"{_filled(chr(92) + "u0000")}"'))),
    "many messages": (CHAT, lambda: _chat(_many(_user('"' + "word " * 900 + '"'), 2_000))),
    "too many messages": (CHAT, lambda: _chat(_many(_user(HI), 19_000))),
    "many parts": (CHAT, lambda: _chat(_user(f"[{_many(chr(123) + TEXT_PART + chr(125), 19_000)}]"))),
    "an image": (
        CHAT,
        lambda: _chat(
            _user(
                '[{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K'
                + _filled("AAAA")
                + '"}}]'
            )
        ),
    ),
    "many tools": (CHAT, lambda: _chat(_user(HI), f', "tools": [{_tools(128, 140)}]')),
    "a tool of many fields": (CHAT, lambda: _chat(_user(HI), f', "tools": [{_tools(1, 19_000)}]')),
    "a tool of a large schema": (CHAT, lambda: _chat(_user(HI), f', "tools": [{_tools(1, 4_900)}]')),
    "tools of large schemas": (CHAT, lambda: _chat(_user(HI), f', "tools": [{_tools(3, 4_900)}]')),
    "a schema that is just read in the loop": (CHAT, lambda: _chat(_user(HI), _format(60))),
    "a schema of an answer": (CHAT, lambda: _chat(_user(HI), _format(1_500))),
    "a large schema of an answer": (CHAT, lambda: _chat(_user(HI), _format(4_900))),
    "a schema of alternatives": (
        CHAT,
        lambda: _chat(
            _user(HI), _schema(f'{{"$defs": {{"a": {{"anyOf": [{_many(ALTERNATIVE, 8_000)}]}}}}}}')
        ),
    ),
    "a schema of an answer to a response": (
        RESPONSES,
        lambda: _responses(
            HI,
            f', "text": {{"format": {{"type": "json_schema", "name": "a", "schema": {_object(4_900)}}}}}',
        ),
    ),
    "arguments of lists": (CHAT, lambda: _chat(_calls(f"[{_filled('[1],')}1]"))),
    "arguments of objects": (CHAT, lambda: _chat(_calls(_filled("{},")))),
    "arguments of text": (
        CHAT,
        lambda: _chat(_calls(f'{{{chr(92)}"a{chr(92)}": {chr(92)}"{_filled("x")}{chr(92)}"}}')),
    ),
    "a request to answer by text": (RESPONSES, lambda: _responses(f'"{_filled("word ")}"')),
    "many items": (RESPONSES, lambda: _responses(f"[{_many(_user(HI), 4_000)}]")),
    "too many items": (RESPONSES, lambda: _responses(f"[{_many(_user(HI), 19_000)}]")),
    "large items": (
        RESPONSES,
        lambda: _responses(f"[{_many(_user(chr(34) + 'word ' * 800 + chr(34)), 2_000)}]"),
    ),
    "metadata": (RESPONSES, lambda: _responses(HI, f', "metadata": {{{_keys(70_000)}}}')),
    "tokens to embed": (EMBEDDINGS, lambda: f'{{"model": "m", "input": [{_many("1", 140_000)}]}}'),
    "texts to embed": (EMBEDDINGS, lambda: f'{{"model": "m", "input": ["{_filled("word ")}"]}}'),
    "an import": (MANAGEMENT, lambda: f'{{"mcpServers": {{{_filled(SERVER, megabytes=0.9)}"z": {{}}}}}}'),
    "nested lists to import": (
        MANAGEMENT,
        lambda: f'{{"mcpServers": [{_many("[" * 60 + "]" * 60, 8_000)}]}}',
    ),
}
ALTERNATIVE = '{"type": "string"}'
TEXT_PART = '"type": "text", "text": "hi"'
SERVER = '"a": {"command": "python", "args": ["x"]},'


class Pause:
    longest_s = 0.0


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keeps what is loaded out of collections of garbage, as config.asgi does."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@asynccontextmanager
async def measured() -> AsyncIterator[Pause]:
    """Measures the longest time for which the event loop did nothing else."""
    pause = Pause()

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            pause.longest_s = max(pause.longest_s, now - last)
            last = now

    ticking = asyncio.create_task(tick())
    try:
        yield pause
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking


async def post(application: Any, path: str, body: bytes, *, key: str) -> int:
    """Sends a request to the application as a server would, and returns the status."""
    status = 0
    answered = asyncio.Event()
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]

    async def receive() -> Any:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = {"host": "localhost", "content-type": "application/json", "authorization": f"Bearer {key}"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await application(scope, receive, send)
    return status
