"""The calls of our tools, shown to callers whose client knows nothing of the extension: by their own wish."""

import html
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Literal

import orjson

from assistants import response_formats
from assistants.events import Event, ReasoningDelta, TextDelta, ToolFinished, ToolStarted

Rendering = Literal["none", "reasoning", "details"]
LONGEST_SHOWN = 2_000  # characters of arguments, and of a result


async def rendered(run: AsyncGenerator[Event, None], kind: Rendering) -> AsyncGenerator[Event, None]:
    """The events of `run`, and after each call of a tool what is shown of it."""
    started: dict[str, ToolStarted] = {}
    show = _as_reasoning if kind == "reasoning" else _as_details
    async with aclosing(run):
        async for event in run:
            yield event
            if isinstance(event, ToolStarted):
                started[event.call_id] = event
            elif isinstance(event, ToolFinished):
                yield show(started[event.call_id], event)


def chosen(asked: Rendering | None, own: str, response_format: Mapping[str, Any] | None) -> Rendering:
    """What the request asks for, else the assistant. Nothing is folded into an answer that must be JSON."""
    kind: Any = asked or own
    return "none" if kind == "details" and response_formats.requested(response_format) else kind


def _as_reasoning(start: ToolStarted, end: ToolFinished) -> Event:
    outcome = f"{end.status}, {end.duration_ms} ms"
    return ReasoningDelta(f"{start.server}: {start.function}({_arguments(start)}): {outcome}\n")


def _as_details(start: ToolStarted, end: ToolFinished) -> Event:
    """Markdown with HTML, as chat clients fold it. What a tool said cannot end the fold or its code block."""
    name = html.escape(f"{start.server}: {start.function}")
    parts = [
        f"\n\n<details>\n<summary>{name} ({end.status})</summary>",
        _code(_arguments(start)),
        _code(_cut("\n".join(_texts(end)))),
        "</details>\n\n",
    ]
    return TextDelta("\n\n".join(parts))


def _arguments(start: ToolStarted) -> str:
    return _cut(orjson.dumps(start.arguments).decode())


def _texts(end: ToolFinished) -> Iterator[str]:
    return (str(block["text"]) for block in end.content if "text" in block)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _code(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.replace('</details', '&lt;/details')}\n{fence}"
