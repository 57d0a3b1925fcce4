"""The output of a response: its items, and the numbered events about them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from assistants.openai_api.responses.ids import Ids

ResponseEvent = dict[str, Any]
Kind = Literal["output_text", "refusal", "summary_text"]

_BETWEEN_ROUNDS = "\n\n"
_ITEMS: dict[Kind, str] = {"output_text": "message", "refusal": "message", "summary_text": "reasoning"}
_EVENTS: dict[Kind, str] = {
    "output_text": "output_text",
    "refusal": "refusal",
    "summary_text": "reasoning_summary_text",
}


class Output:
    """`items` are those of the response object; events are numbered from `first_number` on."""

    def __init__(self, items: list[dict[str, Any]], ids: Ids, first_number: int) -> None:
        self.items = items
        self._ids = ids
        self._numbers = count(first_number)

    def next_number(self) -> int:
        return next(self._numbers)

    def event(self, kind: str, **fields: Any) -> ResponseEvent:
        return {"type": f"response.{kind}", "sequence_number": self.next_number(), **fields}

    def item_event(self, kind: str, index: int, **fields: Any) -> ResponseEvent:
        return self.event(kind, item_id=self.items[index]["id"], output_index=index, **fields)

    def add(self, kind: str, fields: Mapping[str, Any]) -> tuple[int, ResponseEvent]:
        """Returns the index of a new item, and the event that adds it."""
        index = self.append(kind, fields)
        return index, self.item("added", index)

    def append(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Returns the index of a new item."""
        index = len(self.items)
        self.items.append({**fields, "id": self._ids.of_output(kind, index), "type": kind})
        return index

    def item(self, step: str, index: int) -> ResponseEvent:
        return self.event(f"output_item.{step}", output_index=index, item=dict(self.items[index]))


@dataclass(slots=True)
class _Open:
    """The item that is being written, and its last part."""

    index: int
    type: str
    kind: Kind
    texts: list[str] = field(default_factory=list)


class Writer:
    """Writes texts as parts of items: a message's text and refusal, and the summary of reasoning.

    Reasoning whose summary the caller has not asked for is an item without parts, as at OpenAI.
    """

    def __init__(self, output: Output, *, shows_reasoning: bool) -> None:
        self._output = output
        self._shows_reasoning = shows_reasoning
        self._open: _Open | None = None

    def write(self, kind: Kind, text: str) -> Iterator[ResponseEvent]:
        if self._open is not None and self._open.type != _ITEMS[kind]:
            yield from self.close()
        item = self._open
        if item is None:
            if text == _BETWEEN_ROUNDS and self._output.items:
                return  # a chat separates the texts of two rounds; here they are separate items
            self._open = item = self._new_item(kind)
            yield self._output.item("added", item.index)
            yield from self._begin_part(item, kind)
        elif item.kind != kind:
            yield from self._end_part(item)
            yield from self._begin_part(item, kind)
        yield from self._delta(item, text)

    def close(
        self, status: str = "completed", attached: Mapping[str, Any] | None = None
    ) -> Iterator[ResponseEvent]:
        """Ends the item that is being written, if there is one; if it is a message, with these fields too."""
        if (item := self._open) is None:
            return
        yield from self._end_part(item)
        self._open = None
        if item.type == "message":
            whole = self._output.items[item.index]
            self._output.items[item.index] = {**(attached or {}), **whole, "status": status}
        yield self._output.item("done", item.index)

    def _new_item(self, kind: Kind) -> _Open:
        fields: dict[str, Any] = {"summary": []}
        if _ITEMS[kind] == "message":
            fields = {"status": "in_progress", "role": "assistant", "content": []}
        return _Open(self._output.append(_ITEMS[kind], fields), _ITEMS[kind], kind)

    def _is_shown(self, kind: Kind) -> bool:
        return kind != "summary_text" or self._shows_reasoning

    def _begin_part(self, item: _Open, kind: Kind) -> Iterator[ResponseEvent]:
        item.kind, item.texts = kind, []
        if self._is_shown(kind):
            part = _part(kind, "")
            self._set_parts(item, [*self._parts(item), part])
            name = f"{_group(kind)}_part.added"
            yield self._output.item_event(name, item.index, **self._place(item), part=part)

    def _delta(self, item: _Open, text: str) -> Iterator[ResponseEvent]:
        if self._is_shown(kind := item.kind):
            item.texts.append(text)
            fields = {**self._place(item), "delta": text, **_more(kind)}
            yield self._output.item_event(f"{_EVENTS[kind]}.delta", item.index, **fields)

    def _end_part(self, item: _Open) -> Iterator[ResponseEvent]:
        if not self._is_shown(kind := item.kind):
            return
        text, place = "".join(item.texts), self._place(item)
        part = _part(kind, text)
        self._set_parts(item, [*self._parts(item)[:-1], part])
        name = "refusal" if kind == "refusal" else "text"
        yield self._output.item_event(
            f"{_EVENTS[kind]}.done", item.index, **place, **{name: text}, **_more(kind)
        )
        yield self._output.item_event(f"{_group(kind)}_part.done", item.index, **place, part=part)

    def _parts(self, item: _Open) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = self._output.items[item.index][_list_name(item)]
        return parts

    def _set_parts(self, item: _Open, parts: list[dict[str, Any]]) -> None:
        self._output.items[item.index][_list_name(item)] = parts

    def _place(self, item: _Open) -> dict[str, int]:
        name = "content_index" if item.type == "message" else "summary_index"
        return {name: len(self._parts(item)) - 1}


def _list_name(item: _Open) -> str:
    return "content" if item.type == "message" else "summary"


def _group(kind: Kind) -> str:
    return "reasoning_summary" if kind == "summary_text" else "content"


def _more(kind: Kind) -> dict[str, Any]:
    return {"logprobs": []} if kind == "output_text" else {}


def _part(kind: Kind, text: str) -> dict[str, Any]:
    match kind:
        case "output_text":
            return {"type": kind, "text": text, "annotations": [], "logprobs": []}
        case "refusal":
            return {"type": kind, "refusal": text}
        case "summary_text":
            return {"type": kind, "text": text}
