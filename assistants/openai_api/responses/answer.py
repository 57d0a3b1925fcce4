"""A response as it grows out of a run's events, and the API's events that tell of it."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import count
from typing import Any

import orjson

from assistants.events import (
    ClientToolCall,
    ClientToolCalls,
    Event,
    Finished,
    FinishReason,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from assistants.openai_api import errors
from assistants.openai_api.responses import resource
from assistants.openai_api.responses.ids import Ids

WireEvent = dict[str, Any]

_BETWEEN_ROUNDS = "\n\n"
_CUT: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ERROR_CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}
_TIMED_OUT, _FAILED = -32001, -32000  # JSON-RPC leaves these numbers to implementations


class Answer:
    """`body` is the response object so far. Its events are numbered from `first_number` on.

    `extension`: fields of `mcp_connector`, beside the run's own.
    """

    def __init__(
        self,
        body: dict[str, Any],
        *,
        server_labels: Mapping[str, str],
        first_number: int = 0,
        extension: Mapping[str, Any] | None = None,
    ) -> None:
        self.body = body
        self.ran_tools = False
        self._ids = Ids.of(body["id"])
        self._output: list[dict[str, Any]] = body["output"]
        self._numbers = count(first_number)
        self._server_labels = server_labels
        self._extension = extension or {}
        self._text: list[str] = []
        self._message: int | None = None  # the place of the one that is being written
        self._calls: dict[str, int] = {}  # the places of those that run
        self._usage = Usage(0, 0)

    @property
    def is_over(self) -> bool:
        return self.body["status"] not in {"queued", "in_progress"}

    def queue(self) -> list[WireEvent]:
        """The first events of a response that a worker will go on with."""
        self.body["status"] = "queued"
        return [self._lifecycle("created"), self._lifecycle("queued")]

    def begin(self, tool_lists: Iterable[Mapping[str, Any]]) -> list[WireEvent]:
        """`tool_lists`: {"server_label", "tools"} of each server whose tools the caller was not told yet."""
        events = [] if self.body["status"] == "queued" else [self._lifecycle("created")]
        self.body["status"] = "in_progress"
        events.append(self._lifecycle("in_progress"))
        for tool_list in tool_lists:
            events += self._tool_list(tool_list)
        return events

    def take(self, event: Event) -> list[WireEvent]:
        return list(self._told(event))

    def fail(self, error: Exception) -> list[WireEvent]:
        """Nothing of an unexpected error leaks; it is logged."""
        told = errors.envelope(error)["error"]
        code = _ERROR_CODES.get(told["type"], "server_error")
        self.body["error"] = {"code": code, "message": told["message"]}
        closed = list(self._close_all())
        flat = {name: told[name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": next(self._numbers), **flat, "error": told}
        return [*closed, event, self._end("failed", "failed")]

    def cancel(self) -> list[WireEvent]:
        return [*self._close_all(), self._end("cancelled", "incomplete")]

    # --- events ---

    def _told(self, event: Event) -> Iterator[WireEvent]:
        match event:
            case TextDelta():
                yield from self._say(event.text)
            case ToolStarted():
                yield from self._start_call(event)
            case ToolFinished():
                yield from self._finish_call(event)
            case ClientToolCalls():
                for call in event.calls:
                    yield from self._client_call(call)
            case Usage():
                self._usage = event
            case Finished():
                yield from self._finish(event)

    def _event(self, kind: str, **fields: Any) -> WireEvent:
        return {"type": f"response.{kind}", "sequence_number": next(self._numbers), **fields}

    def _lifecycle(self, kind: str) -> WireEvent:
        return self._event(kind, response={**self.body, "output": [dict(item) for item in self._output]})

    def _about(self, kind: str, place: int, **fields: Any) -> WireEvent:
        return self._event(kind, item_id=self._output[place]["id"], output_index=place, **fields)

    def _add(self, kind: str, **fields: Any) -> tuple[int, WireEvent]:
        """The place of a new item, and the event that tells of it."""
        place = len(self._output)
        self._output.append({"id": self._ids.of_output(kind, place), "type": kind, **fields})
        return place, self._item("added", place)

    def _item(self, step: str, place: int) -> WireEvent:
        return self._event(f"output_item.{step}", output_index=place, item=dict(self._output[place]))

    # --- items ---

    def _say(self, text: str) -> Iterator[WireEvent]:
        if self._message is None:
            if text == _BETWEEN_ROUNDS and self._output:
                return  # items are apart as they are
            self._message, added = self._add("message", status="in_progress", role="assistant", content=[])
            yield added
            yield self._about("content_part.added", self._message, content_index=0, part=_output_text(""))
        self._text.append(text)
        yield self._about("output_text.delta", self._message, content_index=0, delta=text, logprobs=[])

    def _close_message(self, status: str = "completed") -> Iterator[WireEvent]:
        if self._message is None:
            return
        place, text = self._message, "".join(self._text)
        self._message, self._text = None, []
        part = _output_text(text)
        self._output[place] |= {"status": status, "content": [part]}
        yield self._about("output_text.done", place, content_index=0, text=text, logprobs=[])
        yield self._about("content_part.done", place, content_index=0, part=part)
        yield self._item("done", place)

    def _start_call(self, event: ToolStarted) -> Iterator[WireEvent]:
        yield from self._close_message()
        self.ran_tools = True
        arguments = orjson.dumps(event.arguments).decode()
        label = self._server_labels.get(event.public_name, event.server)
        call = {"server_label": label, "name": event.function}
        place, added = self._add("mcp_call", status="in_progress", arguments="", **call)
        self._calls[event.call_id] = place
        yield added
        yield self._about("mcp_call.in_progress", place)
        yield self._about("mcp_call_arguments.delta", place, delta=arguments)
        self._output[place]["arguments"] = arguments
        yield self._about("mcp_call_arguments.done", place, arguments=arguments)

    def _finish_call(self, event: ToolFinished) -> Iterator[WireEvent]:
        place = self._calls.pop(event.call_id)
        text = "\n".join(str(block["text"]) for block in event.content if "text" in block)
        succeeded = event.status == "ok"
        self._output[place] |= {"status": "completed" if succeeded else "failed", "output": text}
        if not succeeded:
            self._output[place]["error"] = _call_error(event.error, text)
        yield self._about("mcp_call.completed" if succeeded else "mcp_call.failed", place)
        yield self._item("done", place)

    def _client_call(self, call: ClientToolCall) -> Iterator[WireEvent]:
        yield from self._close_message()
        about = {"call_id": call.id, "name": call.name}
        place, added = self._add("function_call", status="in_progress", arguments="", **about)
        yield added
        yield self._about("function_call_arguments.delta", place, delta=call.arguments)
        self._output[place] |= {"status": "completed", "arguments": call.arguments}
        yield self._about("function_call_arguments.done", place, name=call.name, arguments=call.arguments)
        yield self._item("done", place)

    def _tool_list(self, tool_list: Mapping[str, Any]) -> Iterator[WireEvent]:
        place, added = self._add("mcp_list_tools", server_label=tool_list["server_label"], tools=[])
        yield added
        yield self._about("mcp_list_tools.in_progress", place)
        self._output[place]["tools"] = tool_list["tools"]
        yield self._about("mcp_list_tools.completed", place)
        yield self._item("done", place)

    # --- the end ---

    def _finish(self, event: Finished) -> Iterator[WireEvent]:
        reason = _CUT.get(event.finish_reason)
        status = "incomplete" if reason else "completed"
        yield from self._close_message(status)
        self.body["incomplete_details"] = {"reason": reason} if reason else None
        self.body["mcp_connector"] = {
            "unavailable_tools": [asdict(tool) for tool in event.unavailable],
            "rounds": event.rounds,
            "run_id": self._ids.run,
            **self._extension,
        }
        yield self._end(status, status)

    def _close_all(self) -> Iterator[WireEvent]:
        yield from self._close_message("incomplete")
        for place in self._calls.values():
            self._output[place]["status"] = "incomplete"
            yield self._item("done", place)
        self._calls = {}

    def _end(self, status: str, kind: str) -> WireEvent:
        self.body |= {"status": status, "usage": resource.usage(self._usage)}
        if status == "completed":
            self.body["completed_at"] = int(time.time())
        return self._lifecycle(kind)


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_error(code: str | None, text: str) -> dict[str, Any]:
    """As an MCP client would have seen it: the tool said that it failed, or there was no result at all."""
    if code == "tool_error":
        return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": text}]}
    number = _TIMED_OUT if code == "tool_timeout" else _FAILED
    return {"type": "mcp_protocol_error", "code": number, "message": text}
