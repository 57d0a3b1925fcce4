"""Builds a response from a run's events, and renders each step as events of the Responses API."""

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

ResponseEvent = dict[str, Any]

_BETWEEN_ROUNDS = "\n\n"
_CUT: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ERROR_CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}
_TIMED_OUT, _FAILED = -32001, -32000  # JSON-RPC leaves these numbers to implementations


class Answer:
    """`body` is the response object so far; its events are numbered from `first_number` on.

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
        self._message: int | None = None  # the index in the output of the message that is being written
        self._calls: dict[str, int] = {}  # the indexes in the output of the calls that run
        self._usage = Usage(0, 0)

    @property
    def is_over(self) -> bool:
        return self.body["status"] not in {"queued", "in_progress"}

    def queue(self) -> list[ResponseEvent]:
        """Returns the first events of a response that a worker will continue."""
        self.body["status"] = "queued"
        return [self._lifecycle("created"), self._lifecycle("queued")]

    def begin(self, tool_lists: Iterable[Mapping[str, Any]]) -> list[ResponseEvent]:
        """`tool_lists`: {"server_label", "tools"} of each server whose tools the caller has not seen yet."""
        events = [] if self.body["status"] == "queued" else [self._lifecycle("created")]
        self.body["status"] = "in_progress"
        events.append(self._lifecycle("in_progress"))
        for tool_list in tool_lists:
            events += self._tool_list(tool_list)
        return events

    def render(self, event: Event) -> list[ResponseEvent]:
        return list(self._rendered(event))

    def fail(self, error: Exception) -> list[ResponseEvent]:
        """Ends the response as failed; of an unexpected error only the log has the details."""
        failure = errors.envelope(error)["error"]
        code = _ERROR_CODES.get(failure["type"], "server_error")
        self.body["error"] = {"code": code, "message": failure["message"]}
        closed = list(self._close_all())
        flat = {name: failure[name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": next(self._numbers), **flat, "error": failure}
        return [*closed, event, self._end("failed", "failed")]

    def cancel(self) -> list[ResponseEvent]:
        return [*self._close_all(), self._end("cancelled", "incomplete")]

    # --- events ---

    def _rendered(self, event: Event) -> Iterator[ResponseEvent]:
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

    def _event(self, kind: str, **fields: Any) -> ResponseEvent:
        return {"type": f"response.{kind}", "sequence_number": next(self._numbers), **fields}

    def _lifecycle(self, kind: str) -> ResponseEvent:
        return self._event(kind, response={**self.body, "output": [dict(item) for item in self._output]})

    def _item_event(self, kind: str, index: int, **fields: Any) -> ResponseEvent:
        return self._event(kind, item_id=self._output[index]["id"], output_index=index, **fields)

    def _add(self, kind: str, **fields: Any) -> tuple[int, ResponseEvent]:
        """Returns the index of a new item in the output, and the event that adds it."""
        index = len(self._output)
        self._output.append({"id": self._ids.of_output(kind, index), "type": kind, **fields})
        return index, self._output_item("added", index)

    def _output_item(self, step: str, index: int) -> ResponseEvent:
        return self._event(f"output_item.{step}", output_index=index, item=dict(self._output[index]))

    # --- items ---

    def _say(self, text: str) -> Iterator[ResponseEvent]:
        if self._message is None:
            if text == _BETWEEN_ROUNDS and self._output:
                return  # a chat separates the texts of two rounds; here they are separate items
            self._message, added = self._add("message", status="in_progress", role="assistant", content=[])
            yield added
            yield self._item_event(
                "content_part.added", self._message, content_index=0, part=_output_text("")
            )
        self._text.append(text)
        yield self._item_event("output_text.delta", self._message, content_index=0, delta=text, logprobs=[])

    def _close_message(self, status: str = "completed") -> Iterator[ResponseEvent]:
        if self._message is None:
            return
        index, text = self._message, "".join(self._text)
        self._message, self._text = None, []
        part = _output_text(text)
        self._output[index] |= {"status": status, "content": [part]}
        yield self._item_event("output_text.done", index, content_index=0, text=text, logprobs=[])
        yield self._item_event("content_part.done", index, content_index=0, part=part)
        yield self._output_item("done", index)

    def _start_call(self, event: ToolStarted) -> Iterator[ResponseEvent]:
        yield from self._close_message()
        self.ran_tools = True
        arguments = orjson.dumps(event.arguments).decode()
        label = self._server_labels.get(event.public_name, event.server)
        call = {"server_label": label, "name": event.function}
        index, added = self._add("mcp_call", status="in_progress", arguments="", **call)
        self._calls[event.call_id] = index
        yield added
        yield self._item_event("mcp_call.in_progress", index)
        yield self._item_event("mcp_call_arguments.delta", index, delta=arguments)
        self._output[index]["arguments"] = arguments
        yield self._item_event("mcp_call_arguments.done", index, arguments=arguments)

    def _finish_call(self, event: ToolFinished) -> Iterator[ResponseEvent]:
        index = self._calls.pop(event.call_id)
        text = "\n".join(str(block["text"]) for block in event.content if "text" in block)
        succeeded = event.status == "ok"
        self._output[index] |= {"status": "completed" if succeeded else "failed", "output": text}
        if not succeeded:
            self._output[index]["error"] = _call_error(event.error, text)
        yield self._item_event("mcp_call.completed" if succeeded else "mcp_call.failed", index)
        yield self._output_item("done", index)

    def _client_call(self, call: ClientToolCall) -> Iterator[ResponseEvent]:
        yield from self._close_message()
        names = {"call_id": call.id, "name": call.name}
        index, added = self._add("function_call", status="in_progress", arguments="", **names)
        yield added
        yield self._item_event("function_call_arguments.delta", index, delta=call.arguments)
        self._output[index] |= {"status": "completed", "arguments": call.arguments}
        yield self._item_event(
            "function_call_arguments.done", index, name=call.name, arguments=call.arguments
        )
        yield self._output_item("done", index)

    def _tool_list(self, tool_list: Mapping[str, Any]) -> Iterator[ResponseEvent]:
        index, added = self._add("mcp_list_tools", server_label=tool_list["server_label"], tools=[])
        yield added
        yield self._item_event("mcp_list_tools.in_progress", index)
        self._output[index]["tools"] = tool_list["tools"]
        yield self._item_event("mcp_list_tools.completed", index)
        yield self._output_item("done", index)

    # --- the end ---

    def _finish(self, event: Finished) -> Iterator[ResponseEvent]:
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

    def _close_all(self) -> Iterator[ResponseEvent]:
        yield from self._close_message("incomplete")
        for index in self._calls.values():
            self._output[index]["status"] = "incomplete"
            yield self._output_item("done", index)
        self._calls = {}

    def _end(self, status: str, kind: str) -> ResponseEvent:
        self.body |= {"status": status, "usage": resource.usage(self._usage)}
        if status == "completed":
            self.body["completed_at"] = int(time.time())
        return self._lifecycle(kind)


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _call_error(code: str | None, text: str) -> dict[str, Any]:
    """Returns the error as an MCP client sees it: the tool reported one, or the call had no result at all."""
    if code == "tool_error":
        return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": text}]}
    number = _TIMED_OUT if code == "tool_timeout" else _FAILED
    return {"type": "mcp_protocol_error", "code": number, "message": text}
