"""The events of a run as the playground's page reads them: server-sent events with a JSON object each."""

import time
from collections.abc import Sequence
from typing import Any

import orjson

from apikeys.errors import LimitReached
from assistants.console.advice import advice
from assistants.events import (
    ApprovalStep,
    Event,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from assistants.openai_api import errors
from core.admin.text import shown
from core.message import said, told

_LONGEST_SHOWN = 20_000
_LONGEST_DELTA = 200_000


class PlaygroundEvents:
    """A Renderer. Texts are made fit to be shown; long arguments and results are cut."""

    def __init__(self, run_id: str, model: str) -> None:
        self._run_id = run_id
        self._model = model
        self._started = time.monotonic()
        self._first_token_ms: int | None = None

    def begin(self) -> bytes:
        return _event({"type": "started", "run_id": self._run_id, "model": self._model})

    async def render(self, events: Sequence[Event]) -> bytes:
        return b"".join(_event(content) for event in events if (content := self._content(event)))

    async def fail(self, error: Exception) -> bytes:
        return _event({"type": "error", **failure(error), "ms": self._elapsed_ms()})

    def end(self) -> bytes:
        return b""

    def _content(self, event: Event) -> dict[str, Any] | None:
        match event:
            case TextDelta() | RefusalDelta():
                self._first_token_ms = self._first_token_ms or self._elapsed_ms()
                return {"type": "text", "text": shown(event.text, most=_LONGEST_DELTA)}
            case ReasoningDelta():
                return {"type": "reasoning", "text": shown(event.text, most=_LONGEST_DELTA)}
            case ToolStarted() | ToolFinished() | ApprovalStep():
                return _of_call(event)
            case Usage():
                return {"type": "usage", **_usage(event)}
            case Finished():
                return self._finished(event)
            case _:
                return None

    def _finished(self, event: Finished) -> dict[str, Any]:
        return {
            "type": "finished",
            "reason": event.finish_reason,
            "rounds": event.rounds,
            "unavailable": [
                {"server": shown(each.server, most=255), "reason": shown(said(each.reason), most=1_000)}
                for each in event.unavailable
            ],
            "ms": self._elapsed_ms(),
            "first_token_ms": self._first_token_ms,
        }

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)


def failure(error: Exception) -> dict[str, str]:
    """Returns {code, message, advice} of an error, in the reader's language.

    Of an unexpected one only the log has the details.
    """
    exception = errors.as_api_exception(error)
    code = errors.code_of(exception)
    # The message of a limit speaks of an API key.
    message = advice("limit") if isinstance(error, LimitReached) else told(exception).said()
    return {"code": code, "message": shown(message, most=1_000), "advice": advice(code)}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "is_estimated": usage.is_estimated,
    }


def _of_call(event: ToolStarted | ToolFinished | ApprovalStep) -> dict[str, Any]:
    match event:
        case ToolStarted():
            return _tool_started(event)
        case ToolFinished():
            return _tool_finished(event)
        case ApprovalStep():
            return _approval(event)


def _tool_started(event: ToolStarted) -> dict[str, Any]:
    arguments = orjson.dumps(event.arguments, option=orjson.OPT_INDENT_2).decode()
    return {
        "type": "tool_started",
        "id": event.call_id,
        "server": shown(event.server, most=255),
        "function": shown(event.function, most=255),
        "arguments": shown(arguments, most=_LONGEST_SHOWN),
    }


def _tool_finished(event: ToolFinished) -> dict[str, Any]:
    return {
        "type": "tool_finished",
        "id": event.call_id,
        "status": event.status,
        "error": event.error or "",
        "ms": event.duration_ms,
        "result": shown(_text(event), most=_LONGEST_SHOWN),
    }


def _approval(event: ApprovalStep) -> dict[str, Any]:
    return {
        "type": "approval",
        "id": event.call_id,
        "number": event.number,
        "state": event.state,
        "server": shown(event.server, most=255),
        "function": shown(event.function, most=255),
    }


def _text(event: ToolFinished) -> str:
    """Returns the result as the model gets it; a block without a text by the names of its fields."""
    return "\n".join(
        str(block["text"]) if "text" in block else f"[{', '.join(block)}]" for block in event.content
    )


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"
