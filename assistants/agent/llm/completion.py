"""Puts one answer of a model together from its chunks, as OpenAI-compatible services really send them."""

import secrets
import string
from dataclasses import dataclass, field
from typing import Any

import orjson

from assistants.agent.llm.errors import stream_failure
from assistants.errors import UpstreamFailed

DONE = b"[DONE]"
_ID_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 9
"""Mistral takes ids of exactly nine letters and digits; everyone else takes those too."""


def mint_call_id() -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


@dataclass(slots=True)
class ToolCall:
    """A call that the model asks for, under an id of ours: upstreams leave theirs out, or repeat them."""

    name: str
    upstream_id: str
    id: str = field(default_factory=mint_call_id)
    parts: list[str] = field(default_factory=list)
    signature: str = ""
    """Of the reasoning that led to the call, where the service wants it back."""

    @property
    def arguments(self) -> str:
        return "".join(self.parts)


@dataclass(frozen=True, slots=True)
class Delta:
    text: str = ""
    reasoning: str = ""


@dataclass(slots=True)
class Completion:
    """`finish_reason` is None until the model gives one; `is_complete` tells a whole answer from a part."""

    finish_reason: str | None = None
    is_complete: bool = False
    is_empty: bool = True
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: list[ToolCall] = field(default_factory=list)
    reasoning_field: str = "reasoning_content"
    _by_index: dict[int, ToolCall] = field(default_factory=dict)

    def feed(self, payload: bytes) -> Delta:
        """Take one chunk, or a whole completion. Raises UpstreamFailed for an error or garbage."""
        self.is_empty = False
        if payload == DONE:
            self.is_complete = True
            return Delta()
        chunk = _parse(payload)
        if error := chunk.get("error"):
            raise stream_failure(error)
        self._count(chunk.get("usage"))
        choice = _first_choice(chunk)
        if reason := choice.get("finish_reason"):
            self.finish_reason, self.is_complete = str(reason), True
        return self._take(_dict(choice.get("delta")) or _dict(choice.get("message")))

    def _take(self, delta: dict[str, Any]) -> Delta:
        for fragment in _list(delta.get("tool_calls")):
            self._add_fragment(_dict(fragment))
        return Delta(
            text=_text(delta.get("content")) + _text(delta.get("refusal")), reasoning=self._reasoning(delta)
        )

    def _reasoning(self, delta: dict[str, Any]) -> str:
        for name in ("reasoning_content", "reasoning"):
            if text := _text(delta.get(name)):
                self.reasoning_field = name
                return text
        return ""

    def _add_fragment(self, fragment: dict[str, Any]) -> None:
        function = _dict(fragment.get("function"))
        call = self._call_of(fragment, function)
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.parts.append(arguments)
        elif arguments is not None:
            call.parts.append(orjson.dumps(arguments).decode())

    def _call_of(self, fragment: dict[str, Any], function: dict[str, Any]) -> ToolCall:
        """By index; without one, the last. A name under a new id is another call, whatever its index says."""
        upstream_id, name = _text(fragment.get("id")), _text(function.get("name"))
        index = fragment.get("index")
        known = self._by_index.get(index) if isinstance(index, int) else self._last_call()
        if known is not None and not (name and upstream_id and upstream_id != known.upstream_id):
            known.name = known.name or name
            return known
        call = ToolCall(name, upstream_id)
        self.calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _last_call(self) -> ToolCall | None:
        return self.calls[-1] if self.calls else None

    def _count(self, usage: Any) -> None:
        """The last count stands: some services repeat a growing one in each chunk."""
        if isinstance(usage, dict):
            self.prompt_tokens = _tokens(usage.get("prompt_tokens"))
            self.completion_tokens = _tokens(usage.get("completion_tokens"))


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(payload)
    except orjson.JSONDecodeError:
        chunk = None
    if not isinstance(chunk, dict):
        raise UpstreamFailed("upstream_invalid_response", "The language model's service sent no valid JSON.")
    return chunk


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    choices = [_dict(choice) for choice in _list(chunk.get("choices"))]
    return next((choice for choice in choices if not choice.get("index")), {})


def _text(value: Any) -> str:
    """A string, or the texts of a list of parts; anything else is none."""
    if isinstance(value, str):
        return value
    return "".join(_text(_dict(part).get("text")) for part in _list(value))


def _tokens(value: Any) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
