"""One answer of a model, assembled from its chunks as OpenAI-compatible services really send them."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from assistants.agent.llm.errors import stream_failure
from assistants.errors import UpstreamFailed

DONE = b"[DONE]"
_ID_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 9
"""Mistral accepts ids of exactly nine letters and digits only; everyone else accepts those too."""


def mint_call_id() -> str:
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def ignore_text(_: str) -> None:
    """An `on_text` for callers that read the text once the answer is whole."""


@dataclass(slots=True)
class ToolCall:
    """A call that the model asks for, under an id of ours: services omit theirs, or repeat them."""

    name: str
    upstream_id: str
    id: str = field(default_factory=mint_call_id)
    parts: list[str] = field(default_factory=list)
    signature: str = ""
    """Of the reasoning that led to the call. Gemini refuses the call's result without it."""

    @property
    def arguments(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class Completion:
    """An answer so far. `on_text` is called with each part of its text, never an empty one, as it comes.

    `finish_reason` is None until the model gives one. `is_complete` distinguishes a whole answer from one
    that broke off, `is_empty` one of which nothing has come. `is_done`: the service sent [DONE], so nothing
    follows.
    """

    on_text: Callable[[str], None] = ignore_text
    finish_reason: str | None = None
    is_complete: bool = False
    is_empty: bool = True
    is_done: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: list[ToolCall] = field(default_factory=list)
    reasoning_field: str = "reasoning_content"
    _texts: list[str] = field(default_factory=list)
    _reasonings: list[str] = field(default_factory=list)
    _by_index: dict[int, ToolCall] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasonings)

    @property
    def has_begun(self) -> bool:
        """Whether the model has said or thought anything."""
        return bool(self._texts or self._reasonings)

    def add_text(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self.on_text(text)

    def add_reasoning(self, text: str) -> None:
        if text:
            self._reasonings.append(text)

    def feed(self, payload: bytes) -> None:
        """Add one chunk, or a whole completion. Raises UpstreamFailed for an error or garbage."""
        self.is_empty = False
        if payload == DONE:
            self.is_complete = self.is_done = True
            return
        chunk = _parse(payload)
        if error := chunk.get("error"):
            raise stream_failure(error)
        self._count(chunk.get("usage"))
        choice = _first_choice(chunk)
        if reason := choice.get("finish_reason"):
            self.finish_reason, self.is_complete = str(reason), True
        # A service that does not stream answers with a `message` in place of the `delta`.
        self._add(_dict(choice.get("delta")) or _dict(choice.get("message")))

    def _add(self, delta: dict[str, Any]) -> None:
        for fragment in _list(delta.get("tool_calls")):
            self._add_fragment(_dict(fragment))
        for name in ("reasoning_content", "reasoning"):
            if text := _text(delta.get(name)):
                self.reasoning_field = name
                self.add_reasoning(text)
                break  # some services send the same text under both names
        self.add_text(_text(delta.get("content")) + _text(delta.get("refusal")))

    def _add_fragment(self, fragment: dict[str, Any]) -> None:
        function = _dict(fragment.get("function"))
        call = self._call_of(fragment, function)
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            call.parts.append(arguments)
        elif arguments is not None:  # an object where OpenAI sends a string of JSON
            call.parts.append(orjson.dumps(arguments).decode())

    def _call_of(self, fragment: dict[str, Any], function: dict[str, Any]) -> ToolCall:
        """Returns the call that a fragment belongs to, by its index, or the last one where it has no index.

        A name under a new id begins another call, whatever the index: some services number every call 0.
        """
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
        """The last count holds: some services repeat a growing one in each chunk."""
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
    """Returns a string as it is, the texts of a list of parts, and "" for anything else."""
    if isinstance(value, str):
        return value
    return "".join(_text(_dict(part).get("text")) for part in _list(value))


def _tokens(value: Any) -> int:
    return max(value, 0) if isinstance(value, int) else 0


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
