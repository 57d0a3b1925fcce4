"""One answer of a model, assembled from its chunks as OpenAI-compatible services really send them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from assistants.agent.llm import attachments, finish_reasons
from assistants.agent.llm.errors import stream_failure
from assistants.agent.llm.token_counts import TokenCounts
from assistants.agent.llm.tool_calls import ToolCall, ToolCalls
from assistants.errors import UpstreamFailed
from core.message import Message
from core.repaired_json import SurrogateJoiner, loads, repaired

DONE = b"[DONE]"
REASONING_FIELDS = ("reasoning_content", "reasoning")
THINKING = "thinking"
"""The reasoning field of services that think in parts of the content, as Mistral's do."""
ATTACHED_REASONING = "reasoning_details"
"""The reasoning field of services that send it in an attachment alone."""


_PLAIN = frozenset({"role", "content"})
"""The fields of a delta with text alone."""


def ignore_text(_: str) -> None:
    """A listener for callers that read the text once the answer is whole."""


@dataclass(slots=True)
class Listeners:
    """Called with each part of a text as it comes, never with an empty one."""

    on_text: Callable[[str], None] = ignore_text
    on_reasoning: Callable[[str], None] = ignore_text
    on_refusal: Callable[[str], None] = ignore_text


@dataclass(slots=True)
class _Text:
    """A text in parts. A half of a surrogate pair waits for the other one."""

    on_part: Callable[[str], None]
    parts: list[str] = field(default_factory=list)
    joiner: SurrogateJoiner = field(default_factory=SurrogateJoiner)

    def add(self, part: str) -> None:
        self._emit(self.joiner.feed(part))

    def end(self) -> None:
        self._emit(self.joiner.end())

    def _emit(self, part: str) -> None:
        if part:
            self.parts.append(part)
            self.on_part(part)

    def __str__(self) -> str:
        return "".join(self.parts)


class Completion:
    """An answer so far.

    `finish_reason` is None until the model gives one. `is_complete` distinguishes a whole answer from one
    that broke off, `is_empty` one of which nothing has come. `is_done`: the service sent [DONE], so nothing
    follows. `attached`: see `attachments`.
    """

    def __init__(self, listeners: Listeners | None = None) -> None:
        listeners = listeners or Listeners()
        self.finish_reason: str | None = None
        self.is_complete = False
        self.is_empty = True
        self.is_done = False
        self.tokens = TokenCounts()
        self.attached: dict[str, Any] = {}
        self.reasoning_field = "reasoning_content"
        self._text = _Text(listeners.on_text)
        self._reasoning = _Text(listeners.on_reasoning)
        self._refusal = _Text(listeners.on_refusal)
        self._calls = ToolCalls()

    @property
    def text(self) -> str:
        return str(self._text)

    @property
    def reasoning(self) -> str:
        return str(self._reasoning)

    @property
    def refusal(self) -> str:
        return str(self._refusal)

    @property
    def calls(self) -> list[ToolCall]:
        return self._calls.all

    @property
    def prompt_tokens(self) -> int:
        return self.tokens.prompt

    @property
    def completion_tokens(self) -> int:
        return self.tokens.completion

    @property
    def has_begun(self) -> bool:
        """Whether the model has said or thought anything."""
        return bool(self._text.parts or self._reasoning.parts or self._refusal.parts)

    def add_text(self, text: str) -> None:
        self._text.add(text)

    def add_reasoning(self, text: str) -> None:
        self._reasoning.add(text)

    def begin_call(self, call: ToolCall) -> None:
        self._calls.begin(call)

    def add_arguments(self, part: str) -> None:
        """Add to the arguments of the call that was begun last."""
        self._calls.last.parts.append(part)

    def end(self) -> None:
        """Emit what waited for more to come, and repair the attachments."""
        for text in (self._text, self._reasoning, self._refusal):
            text.end()
        self.attached = repaired(self.attached)
        for call in self._calls.all:
            call.attached = repaired(call.attached)

    def feed(self, payload: bytes) -> None:
        """Add one chunk, or a whole completion. Raises UpstreamFailed for an error or garbage."""
        if self.is_done:
            return
        self.is_empty = False
        if payload == DONE:
            self.is_complete = self.is_done = True
            return
        chunk = _parse(payload)
        if error := chunk.get("error"):
            raise stream_failure(error)
        self.tokens.add(chunk.get("usage"))
        choice = _first_choice(chunk)
        if delta := _dict(choice.get("delta")):
            self._add_delta(delta)
        elif message := _dict(choice.get("message")):  # of a service that does not stream
            self._add_message(message)
        if reason := choice.get("finish_reason"):
            self._finish(str(reason), choice)

    def _finish(self, reason: str, choice: dict[str, Any]) -> None:
        self.finish_reason = finish_reasons.normalized(reason)
        if self.finish_reason == "error":
            raise stream_failure(choice.get("error"))
        self.is_complete = True

    def _add_delta(self, delta: dict[str, Any]) -> None:
        self._calls.add_chunk(map(_dict, _list(delta.get("tool_calls"))))
        self._add_texts(delta)

    def _add_message(self, message: dict[str, Any]) -> None:
        self._calls.add_whole(map(_dict, _list(message.get("tool_calls"))))
        self._add_texts(message)

    def _add_texts(self, delta: dict[str, Any]) -> None:
        content = delta.get("content")
        if isinstance(content, str) and delta.keys() <= _PLAIN:  # as nearly all are
            self.add_text(content)
            return
        for name, text in _reasonings(delta):
            if text:
                self.reasoning_field = name
                self.add_reasoning(text)
                break  # some services send the same text under several names
        self.add_text(_text(content))
        self._refusal.add(_text(delta.get("refusal")))
        attachments.accumulate(self.attached, attachments.of_message(delta))


def _reasonings(delta: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the reasoning under each of the names that services have for it, the most exact first."""
    for name in REASONING_FIELDS:
        yield name, _text(delta.get(name))
    details = [_dict(detail) for detail in _list(delta.get("reasoning_details"))]
    # It is attached too, and returns to the service in that form alone.
    yield ATTACHED_REASONING, "".join(_text(each.get("text") or each.get("summary")) for each in details)
    thoughts = (_dict(part) for part in _list(delta.get("content")))
    yield THINKING, "".join(_text(part.get(THINKING)) for part in thoughts if part.get("type") == THINKING)


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        chunk = loads(payload)
    except ValueError:
        chunk = None
    if not isinstance(chunk, dict):
        raise UpstreamFailed(
            "upstream_invalid_response", Message("The language model's service sent no valid JSON.")
        )
    return chunk


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    for choice in map(_dict, _list(chunk.get("choices"))):
        if not choice.get("index"):
            return choice
    return {}


def _text(value: Any) -> str:
    """Returns a string as it is, the texts of a list of parts, and "" for anything else."""
    if isinstance(value, str):
        return value
    return "".join(_text(_dict(part).get("text")) for part in _list(value))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
