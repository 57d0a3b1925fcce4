"""Shows calls of our servers' tools as text or reasoning, to clients that do not know the extension."""

import html
import re
from collections.abc import Iterator
from typing import Any, Literal

import orjson

from assistants import response_formats
from assistants.catalogue.entries import AssistantEntry
from assistants.events import ReasoningDelta, TextDelta, ToolFinished, ToolStarted
from assistants.openai_api.chat.request import ChatCompletionRequest

Rendering = Literal["none", "reasoning", "details"]
LONGEST_SHOWN = 2_000  # characters of arguments, and of a result


class ToolCallRenderer:
    """Turns each finished call of a server's tool into text or reasoning; for "none" into nothing."""

    def __init__(self, kind: Rendering) -> None:
        self._kind = kind
        self._started: dict[str, ToolStarted] = {}
        self._reasoning = ""

    def start(self, event: ToolStarted) -> None:
        self._started[event.call_id] = event

    def add_reasoning(self, event: ReasoningDelta) -> None:
        """The model's own reasoning, or ours: a call begins on a line of its own."""
        self._reasoning = event.text

    def finish(self, event: ToolFinished) -> Iterator[TextDelta | ReasoningDelta]:
        if self._kind == "details":
            yield _as_details(self._started[event.call_id], event)
        elif self._kind == "reasoning":
            if self._reasoning and not self._reasoning.endswith("\n"):
                yield ReasoningDelta("\n")
            yield _as_reasoning(self._started[event.call_id], event)


def rendering(params: ChatCompletionRequest, assistant: AssistantEntry) -> Rendering:
    """Returns what the request asks for, or else the assistant's own rendering.

    Nothing is folded into an answer that must be JSON.
    """
    kind: Any = (params.mcp_connector and params.mcp_connector.render) or assistant.rendering
    wants_json = response_formats.requested(params.sampling.get("response_format"))
    return "none" if kind == "details" and wants_json else kind


def _as_reasoning(start: ToolStarted, end: ToolFinished) -> ReasoningDelta:
    outcome = f"{end.status}, {end.duration_ms} ms"
    return ReasoningDelta(f"{start.server}: {start.function}({_arguments(start)}): {outcome}\n")


def _as_details(start: ToolStarted, end: ToolFinished) -> TextDelta:
    """Returns Markdown with an HTML fold. A tool's text can end neither the fold nor its code block."""
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
