"""Builds a response from a run's events, and renders each step as events of the Responses API."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from assistants.events import (
    ApprovalStep,
    ClientToolCall,
    ClientToolCalls,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolFinished,
    ToolStarted,
    Usage,
)
from assistants.openai_api import errors
from assistants.openai_api.responses import call_errors, resource
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.output import Kind, Output, ResponseEvent, Writer
from assistants.openai_api.responses.tools import OfferedTool, custom_input, shell_action

_KINDS: dict[type, Kind] = {
    TextDelta: "output_text",
    RefusalDelta: "refusal",
    ReasoningDelta: "summary_text",
}
_CUT: dict[FinishReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ERROR_CODES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}


class Answer:
    """`body` is the response object so far; its events are numbered from `first_number` on.

    `client_tools`: the caller's tools by the names that the model knows. `shows_server_tools`: whether calls
    of ours are items. `approval_ids`: of the conversation's items that ask its caller for an approval, by
    its number. `extension`: fields of `mcp_connector`, beside the run's own.
    """

    def __init__(
        self,
        body: dict[str, Any],
        *,
        server_labels: Mapping[str, str],
        client_tools: Mapping[str, OfferedTool] | None = None,
        shows_server_tools: bool = True,
        first_number: int = 0,
        approval_ids: Mapping[int, str] | None = None,
        extension: Mapping[str, Any] | None = None,
    ) -> None:
        self.body = body
        self.ran_tools = False
        self._ids = Ids.of(body["id"])
        self._output = Output(body["output"], self._ids, first_number)
        self._writer = Writer(self._output, shows_reasoning=bool(body["reasoning"]["summary"]))
        self._server_labels = server_labels
        self._client_tools = client_tools or {}
        self._shows_server_tools = shows_server_tools
        self._extension = extension or {}
        self._approval_ids = approval_ids or {}
        self._approvals: dict[int, dict[str, Any]] = {}
        self._calls: dict[str, int] = {}  # the indexes in the output of the calls that run
        self._usage = Usage(0, 0)
        self._used_before: dict[str, Any] | None = None
        self.awaits: tuple[int, ...] = ()
        """The approvals that the answer waits for, without which it cannot go on."""

    @property
    def next_number(self) -> int:
        """The number of the next event, which is used up."""
        return self._output.next_number()

    @property
    def open_calls(self) -> dict[str, int]:
        """The places in the output of the calls that have not ended."""
        return dict(self._calls)

    def resume(self, body: Mapping[str, Any], open_calls: Mapping[str, int]) -> None:
        """Goes on with an answer that waited. `body` is that answer."""
        self.body |= {"created_at": body["created_at"], "status": "in_progress"}
        self._output.items.extend(body["output"])
        self._used_before = body["usage"]
        self._calls = dict(open_calls)

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
        for tool_list in tool_lists if self._shows_server_tools else ():
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
        event = {"type": "error", "sequence_number": self._output.next_number(), **flat, "error": failure}
        return [*closed, event, self._end("failed", "failed")]

    def cancel(self) -> list[ResponseEvent]:
        return [*self._close_all(), self._end("cancelled", "incomplete")]

    # --- events ---

    def _rendered(self, event: Event) -> Iterator[ResponseEvent]:
        match event:
            case TextDelta() | RefusalDelta() | ReasoningDelta():
                yield from self._writer.write(_KINDS[type(event)], event.text)
            case ToolStarted():
                yield from self._start_call(event)
            case ToolFinished():
                yield from self._finish_call(event)
            case ApprovalStep():
                yield from self._approval(event)
            case ClientToolCalls():
                for call in event.calls:
                    yield from self._client_call(call)
            case Usage():
                self._usage = event
            case Finished():
                yield from self._finish(event)

    def _lifecycle(self, kind: str) -> ResponseEvent:
        return self._output.event(
            kind, response={**self.body, "output": [dict(item) for item in self._output.items]}
        )

    # --- items ---

    def _start_call(self, event: ToolStarted) -> Iterator[ResponseEvent]:
        if event.approval is None:
            self.ran_tools = True
        # What staff agreed to later was shown as a failed call, and is told to the model alone.
        asked_by = self._approval_ids.get(event.approval or 0)
        is_made = self._approvals.get(event.approval or 0, {}).get("state") == "done"
        if not self._shows_server_tools or (event.approval and not (asked_by and is_made)):
            return
        yield from self._writer.close()
        arguments = orjson.dumps(event.arguments).decode()
        label = self._server_labels.get(event.public_name, event.server)
        call = {"status": "in_progress", "arguments": "", "server_label": label, "name": event.function}
        if asked_by:
            call["approval_request_id"] = asked_by
        index, added = self._output.add("mcp_call", call)
        self._calls[event.call_id] = index
        yield added
        yield self._output.item_event("mcp_call.in_progress", index)
        yield self._output.item_event("mcp_call_arguments.delta", index, delta=arguments)
        self._output.items[index]["arguments"] = arguments
        yield self._output.item_event("mcp_call_arguments.done", index, arguments=arguments)

    def _finish_call(self, event: ToolFinished) -> Iterator[ResponseEvent]:
        index = self._calls.pop(event.call_id, None)
        if index is None:
            return
        text = "\n".join(str(block["text"]) for block in event.content if "text" in block)
        succeeded = event.status == "ok"
        self._output.items[index] |= {"status": "completed" if succeeded else "failed", "output": text}
        if not succeeded:
            self._output.items[index]["error"] = call_errors.of(event.error, text)
        yield self._output.item_event("mcp_call.completed" if succeeded else "mcp_call.failed", index)
        yield self._output.item("done", index)

    def _approval(self, event: ApprovalStep) -> Iterator[ResponseEvent]:
        self._approvals[event.number] = {
            "number": event.number,
            "state": event.state,
            "server": event.server,
            "function": event.function,
        }
        item_id = self._ids.of_approval(event.number)
        is_shown = any(item["id"] == item_id for item in self._output.items)
        if is_shown or not event.asks_caller or event.state != "waiting":
            return
        yield from self._writer.close()
        request = {
            "server_label": event.server_slug,
            "name": event.function,
            "arguments": orjson.dumps(event.arguments).decode(),
        }
        index = self._output.append("mcp_approval_request", request)
        self._output.items[index]["id"] = item_id
        yield self._output.item("added", index)
        yield self._output.item("done", index)

    def _client_call(self, call: ClientToolCall) -> Iterator[ResponseEvent]:
        yield from self._writer.close()
        tool = self._client_tools.get(call.name)
        names = {"call_id": call.id, "name": tool.name if tool else call.name}
        if tool and tool.namespace is not None:
            names["namespace"] = tool.namespace
        match tool.kind if tool else "function":
            case "function":
                yield from self._written_call("function_call", "arguments", call.arguments, call, names)
            case "custom":
                text = custom_input(call.arguments)
                yield from self._written_call("custom_tool_call", "input", text, call, names)
            case "local_shell":
                yield from self._shell_call(call)

    def _written_call(
        self, kind: str, field: str, text: str, call: ClientToolCall, names: Mapping[str, str]
    ) -> Iterator[ResponseEvent]:
        """A call with a text, in the field of this name: it comes empty, then as a delta, then whole."""
        fields = {**call.attached, "status": "in_progress", field: "", **names}
        index, added = self._output.add(kind, fields)
        yield added
        event = f"{kind}_{field}"
        yield self._output.item_event(f"{event}.delta", index, delta=text)
        self._output.items[index] |= {"status": "completed", field: text}
        more = {"name": names["name"]} if kind == "function_call" else {}
        yield self._output.item_event(f"{event}.done", index, **more, **{field: text})
        yield self._output.item("done", index)

    def _shell_call(self, call: ClientToolCall) -> Iterator[ResponseEvent]:
        fields = {"status": "in_progress", "call_id": call.id, "action": shell_action(call.arguments)}
        index, added = self._output.add("local_shell_call", {**call.attached, **fields})
        yield added
        self._output.items[index]["status"] = "completed"
        yield self._output.item("done", index)

    def _tool_list(self, tool_list: Mapping[str, Any]) -> Iterator[ResponseEvent]:
        index, added = self._output.add(
            "mcp_list_tools", {"server_label": tool_list["server_label"], "tools": []}
        )
        yield added
        yield self._output.item_event("mcp_list_tools.in_progress", index)
        self._output.items[index]["tools"] = tool_list["tools"]
        yield self._output.item_event("mcp_list_tools.completed", index)
        yield self._output.item("done", index)

    # --- the end ---

    def _finish(self, event: Finished) -> Iterator[ResponseEvent]:
        if event.awaits:
            yield from self._writer.close()
            self.body["usage"] = self._whole_usage()
            self.awaits = event.awaits
            return
        reason = _CUT.get(event.finish_reason)
        status = "incomplete" if reason else "completed"
        yield from self._writer.close(status, event.attached)
        yield from self._close_calls()
        self.body["incomplete_details"] = {"reason": reason} if reason else None
        self.body["mcp_connector"] = {
            "unavailable_tools": [asdict(tool) for tool in event.unavailable],
            "rounds": event.rounds,
            **({"usage_estimated": True} if self._usage.is_estimated else {}),
            **({"approvals": list(self._approvals.values())} if self._approvals else {}),
            "run_id": self._ids.run,
            **self._extension,
        }
        yield self._end(status, status)

    def _whole_usage(self) -> dict[str, Any]:
        used = resource.usage(self._usage)
        return resource.added(used, self._used_before) if self._used_before else used

    def _close_all(self) -> Iterator[ResponseEvent]:
        yield from self._writer.close("incomplete")
        yield from self._close_calls()

    def _close_calls(self) -> Iterator[ResponseEvent]:
        for index in self._calls.values():
            self._output.items[index]["status"] = "incomplete"
            yield self._output.item("done", index)
        self._calls = {}

    def _end(self, status: str, kind: str) -> ResponseEvent:
        self.body |= {"status": status, "usage": self._whole_usage()}
        if status == "completed":
            self.body["completed_at"] = int(time.time())
        return self._lifecycle(kind)
