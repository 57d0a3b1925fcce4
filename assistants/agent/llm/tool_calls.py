"""The tool calls of one answer, put together from fragments as services really send them.

OpenAI numbers the calls of an answer by `index` and gives each an id. Others number every call 0, leave out
the index or the id, repeat the id or the name in each fragment, or send the id last.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from assistants.agent.llm import attachments, call_ids
from core import repaired_json


@dataclass(slots=True)
class ToolCall:
    """A call that the model asks for, under an id of ours: services omit theirs, or repeat them."""

    name: str
    upstream_id: str = ""
    parts: list[str] = field(default_factory=list)
    attached: dict[str, Any] = field(default_factory=dict)
    signature: str = ""
    """Of the reasoning that led to the call, from a vendor's SDK. Gemini refuses the result without it."""
    is_named_again: bool = False
    """Whether its name came once more after its arguments: what follows are those of another call."""
    _id: str = ""

    @property
    def id(self) -> str:
        """Minted when it is first read: a service may send its own id last."""
        self._id = self._id or call_ids.mint(self.upstream_id)
        return self._id

    @property
    def arguments(self) -> str:
        """The text that the model wrote, which should be JSON, and is repaired within it too."""
        return repaired_json.repaired_source("".join(self.parts))

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are an object already, so that nothing more of them can follow."""
        # The last part alone first: a call of many parts is asked for each of them.
        if not (self.parts and self.parts[-1].rstrip().endswith("}")):
            return False
        text = "".join(self.parts)
        try:
            return isinstance(repaired_json.loads(text.encode(errors="replace")), dict)
        except ValueError:
            return False


@dataclass(slots=True)
class _Fragment:
    """A part of a call as it came. `index`, `upstream_id` and `name` may be missing, `arguments` empty."""

    index: int | None
    upstream_id: str
    name: str
    arguments: str
    attached: dict[str, Any]

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "_Fragment":
        given = raw.get("function")
        function: dict[str, Any] = given if isinstance(given, dict) else {}
        index = raw.get("index")
        return cls(
            index if isinstance(index, int) else None,
            _text(raw.get("id")),
            _text(function.get("name")),
            _arguments(function.get("arguments")),
            attachments.of_call(raw),
        )


class ToolCalls:
    """The calls so far, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._by_index: dict[int, ToolCall] = {}
        self._last_list: list[ToolCall] = []

    @property
    def all(self) -> list[ToolCall]:
        """Without those of which no name came: nothing can be called by them."""
        return [call for call in self._calls if call.name]

    def begin(self, call: ToolCall) -> None:
        self._calls.append(call)

    @property
    def last(self) -> ToolCall:
        return self._calls[-1]

    def add_whole(self, raw: Iterable[dict[str, Any]]) -> None:
        """Add the calls of an answer in one piece: each item is a call, whatever its index and id."""
        if not self._calls:  # else a stream that repeats its calls at the end
            for item in raw:
                self._extend(ToolCall(""), _Fragment.of(item), is_new=True)

    def add_chunk(self, raw: Iterable[dict[str, Any]]) -> None:
        """Add the fragments of one chunk. Without an index, those of one list are of different calls."""
        seen: list[ToolCall] = []
        for position, item in enumerate(raw):
            fragment = _Fragment.of(item)
            known = self._known(fragment, position, seen)
            is_new = known is None or _begins_another(known, fragment, is_beside=known in seen)
            call = ToolCall(_inherited(known, fragment)) if known is None or is_new else known
            if not (is_new and known is not None and _is_repetition(known, fragment)):
                self._extend(call, fragment, is_new=is_new)
                seen.append(call)
        self._last_list = seen or self._last_list

    def _known(self, fragment: _Fragment, position: int, seen: list[ToolCall]) -> ToolCall | None:
        """Returns the call that the fragment may continue: by its index, its id, or its place in the list."""
        if fragment.index is not None:
            known = self._by_index.get(fragment.index)
            # Some services count the fragments, not the calls.
            is_bare = not (fragment.name or fragment.upstream_id)
            return self._open() if known is None and is_bare else known
        for call in reversed(self._calls):
            if fragment.upstream_id and call.upstream_id == fragment.upstream_id:
                return call
        placed = self._at(position, seen) if position or len(self._last_list) > 1 else self._latest()
        is_ended = placed is not None and not fragment.name and placed.is_whole
        return self._open() or placed if is_ended else placed

    def _at(self, position: int, seen: list[ToolCall]) -> ToolCall | None:
        if position < len(self._last_list):
            return self._last_list[position]
        return seen[-1] if seen else None

    def _latest(self) -> ToolCall | None:
        return self._calls[-1] if self._calls else None

    def _open(self) -> ToolCall | None:
        latest = self._latest()
        return latest if latest is not None and not latest.is_whole else None

    def _extend(self, call: ToolCall, fragment: _Fragment, *, is_new: bool) -> None:
        if is_new:
            self._calls.append(call)
        if fragment.index is not None:
            self._by_index[fragment.index] = call
        call.name = call.name or fragment.name
        call.upstream_id = call.upstream_id or fragment.upstream_id
        if fragment.arguments:
            call.parts.append(fragment.arguments)
        attachments.accumulate(call.attached, fragment.attached)


def _begins_another(known: ToolCall, fragment: _Fragment, *, is_beside: bool) -> bool:
    """Whether a fragment begins another call than the one that it seems to continue.

    `is_beside`: a fragment of that call stands in the same list.
    """
    is_other_id = bool(fragment.upstream_id and known.upstream_id not in ("", fragment.upstream_id))
    if not fragment.name:
        if known.is_named_again and fragment.arguments.strip():
            return True
        # An id alone: the name is still to come. Other services make up a new id for each fragment.
        return is_other_id and known.is_whole and not fragment.arguments
    if not known.name:
        return False
    if is_other_id or fragment.name != known.name or (is_beside and fragment.index is None):
        return True
    # The name is repeated: by a service that does so in each fragment, or by another call of the same tool.
    if not known.is_whole:
        return is_beside and not known.parts
    known.is_named_again = not fragment.arguments
    return bool(fragment.arguments)


def _inherited(known: ToolCall | None, fragment: _Fragment) -> str:
    """Returns the name of a call whose own fragment named it before its arguments came, or ""."""
    return known.name if known is not None and known.is_named_again and not fragment.name else ""


def _is_repetition(known: ToolCall, fragment: _Fragment) -> bool:
    """Whether a service sends a whole call once more, at the end of its stream."""
    return bool(
        fragment.upstream_id
        and fragment.upstream_id == known.upstream_id
        and fragment.index is not None
        and fragment.name == known.name
        and fragment.arguments == "".join(known.parts)
    )


def _text(value: Any) -> str:
    return repaired_json.repaired_text(value) if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    """Returns the text as it is; some services send an object where OpenAI sends a string of JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(repaired_json.repaired(value)).decode()
