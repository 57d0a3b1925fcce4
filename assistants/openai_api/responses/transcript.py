"""Converts items: from a request to how they are stored, and from there to chat messages."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel

from assistants.approvals import sentences
from assistants.openai_api.responses.ids import Ids, approval_of
from assistants.openai_api.responses.input_items import IgnoredItem
from assistants.openai_api.responses.tools import LOCAL_SHELL
from assistants.openai_api.validation import MOST_MESSAGES
from core.errors import InvalidRequest

Items = Sequence[Mapping[str, Any]]
PublicName = Callable[[str, str], str]
"""Of a server's slug and a function's name, the name that the model knows."""

ClientName = Callable[[str, str | None], str]
"""Of a tool of the caller's and its namespace, the name that the model knows."""

_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
_OUTPUTS = tuple(f"{kind}_output" for kind in _CALLS)
_SILENT = ("additional_tools", "mcp_approval_response")
_TEXT_TYPES = {"assistant": "output_text"}
_FIELDS_OF_CALL = frozenset(
    {
        "action", "agent", "arguments", "async", "call_id", "caller", "created_by", "id", "input", "name",
        "namespace", "parsed_arguments", "status", "type",
    }
)  # fmt: skip
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def stored_items(brought: str | Sequence[BaseModel], ids: Ids) -> list[dict[str, Any]]:
    """Returns the request's items as they are stored: each with an id, and contents as lists of parts."""
    if isinstance(brought, str):
        items: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": brought}]
    else:
        kept = (item for item in brought if not isinstance(item, IgnoredItem))
        items = [item.model_dump(exclude_none=True) for item in kept]
    return [_stored(item, ids.of_input(item["type"], index)) for index, item in enumerate(items)]


def _stored(item: dict[str, Any], new_id: str) -> dict[str, Any]:
    stored = {"id": item.get("id") or new_id, **item}
    if item["type"] == "message":
        stored["status"] = "completed"
        if isinstance(text := item["content"], str):
            kind = _TEXT_TYPES.get(item["role"], "input_text")
            stored["content"] = [{"type": kind, "text": text}]
    return stored


def messages(
    items: Items, public_name: PublicName, client_name: ClientName, *, instructions: str | None
) -> list[dict[str, Any]]:
    """Returns chat messages, in which a result follows each call.

    Raises InvalidRequest for a call without a result: the agent would make it without asking a model.
    """
    transcript = _Transcript(_results(items), public_name, client_name)
    if instructions:
        transcript.messages.append({"role": "developer", "content": instructions})
    for item in items:
        transcript.add(item)
    transcript.require_answered()
    if not any(message["role"] != "developer" for message in transcript.messages):
        raise _invalid("There is nothing to answer: bring some input.")
    if len(transcript.messages) > MOST_MESSAGES:
        raise _invalid(f"At most {MOST_MESSAGES:,} messages are read.", code="too_many_messages")
    return transcript.messages


def _results(items: Items) -> dict[str, Any]:
    """Returns the results of the caller's own tools, by call id."""
    results: dict[str, Any] = {}
    for item in items:
        if item["type"] in _OUTPUTS:
            if (call_id := _call_id(item)) in results:
                raise _invalid(f"There are two outputs of the function call {call_id}.")
            results[call_id] = item["output"]
    return results


class _Transcript:
    def __init__(self, results: dict[str, Any], public_name: PublicName, client_name: ClientName) -> None:
        self.messages: list[dict[str, Any]] = []
        self._results = results
        self._public_name = public_name
        self._client_name = client_name
        self._calls: list[Mapping[str, Any]] = []  # the calls of the turn that is being read
        self._answered: set[str] = set()
        self._reasoning = ""
        self._asking: dict[str, Any] = {}  # the last turn that asks its caller about calls: it is over

    def add(self, item: Mapping[str, Any]) -> None:
        if item["type"] in _CALLS:
            self._calls.append(item)
            return
        if item["type"] in _SILENT:
            return
        self._end_turn()
        if item["type"] == "message":
            self._add_message(item)
        elif item["type"] == "mcp_call":
            self._add_calls([self._server_call(item)], [_server_result(item)])
            self._tag(item)
        elif item["type"] == "mcp_approval_request":
            self._add_mark(item)
        elif item["type"] == "reasoning":
            self._reasoning = _reasoning_text(item)

    def require_answered(self) -> None:
        self._end_turn()
        if unasked := self._results.keys() - self._answered:
            raise _invalid(f"No tool call found for function call output with call_id {min(unasked)}.")

    def _end_turn(self) -> None:
        """Adds adjacent calls as one turn of the model, which made them at once."""
        if not self._calls:
            return
        calls, self._calls = self._calls, []
        for call in calls:
            if call["call_id"] not in self._results:
                raise _invalid(f"No tool output found for function call {call['call_id']}.")
            if call["call_id"] in self._answered:
                raise _invalid(f"There are two function calls with the call_id {call['call_id']}.")
            self._answered.add(call["call_id"])
        self._add_calls(
            [self._client_call(call) for call in calls],
            [self._results[call["call_id"]] for call in calls],
        )

    def _add_message(self, item: Mapping[str, Any]) -> None:
        if item["role"] != "assistant":
            self._reasoning = ""
        self.messages.append({"role": item["role"], "content": [_part(part) for part in item["content"]]})

    def _tag(self, item: Mapping[str, Any]) -> None:
        """Marks a turn whose call was approved: it stands in the rounds of the answer that asked, too."""
        if number := approval_of(item.get("approval_request_id") or ""):
            self.messages[-2][sentences.TAG] = number

    def _add_mark(self, item: Mapping[str, Any]) -> None:
        if number := approval_of(item["id"]):
            turn = self.messages[-1] if self.messages else {}
            if turn.get("role") != "assistant" or "tool_calls" in turn:
                turn = {"role": "assistant", "content": []}
                self.messages.append(turn)
            turn["content"] = [*(turn["content"] or ()), {"type": "text", "text": sentences.mark(number)}]
            self._asking = turn

    def _add_calls(self, calls: list[dict[str, Any]], results: list[Any]) -> None:
        # A text right before the calls belongs to the same turn: a chat message holds both.
        turn = self.messages[-1] if self.messages else {}
        if turn.get("role") != "assistant" or "tool_calls" in turn or turn is self._asking:
            turn = {"role": "assistant", "content": None}
            self.messages.append(turn)
        turn["tool_calls"] = calls
        if self._reasoning:
            turn["reasoning_content"], self._reasoning = self._reasoning, ""
        for call, result in zip(calls, results, strict=True):
            content = result if isinstance(result, str) else [_part(part) for part in result]
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})

    def _server_call(self, item: Mapping[str, Any]) -> dict[str, Any]:
        name = self._public_name(item["server_label"], item["name"])
        return _tool_call(_short_id(item["id"]), _NOT_IN_A_NAME.sub("_", name)[:64] or "_", item["arguments"])

    def _client_call(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the call with what the LLM service attached to it: the item's fields beside its own."""
        attached = {name: value for name, value in item.items() if name not in _FIELDS_OF_CALL}
        name = self._client_name(item.get("name", LOCAL_SHELL), item.get("namespace"))
        call = _tool_call(item["call_id"], name, _arguments(item))
        if isinstance(inner := attached.get("function"), Mapping):
            call["function"] = {**inner, **call["function"]}
        return {**attached, **call}


def _call_id(item: Mapping[str, Any]) -> str:
    """Returns the id of the call that an output is of."""
    return str(item.get("call_id") or item["id"])


def _arguments(item: Mapping[str, Any]) -> str:
    """Returns a call's arguments as those of the function that the model is offered for its tool."""
    match item["type"]:
        case "custom_tool_call":
            return orjson.dumps({"input": item["input"]}).decode()
        case "local_shell_call":
            given = item["action"].items()
            return orjson.dumps({name: value for name, value in given if name != "type"}).decode()
        case _:
            return str(item["arguments"])


def _reasoning_text(item: Mapping[str, Any]) -> str:
    """Returns the reasoning itself, or its summary where there is nothing else."""
    for parts in (item.get("content"), item.get("summary")):
        texts = [part.get("text") for part in _list(parts) if isinstance(part, dict)]
        if text := "\n\n".join(text for text in texts if text and isinstance(text, str)):
            return text
    return ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tool_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _short_id(item_id: str) -> str:
    """Returns nine letters and digits, which every LLM service accepts.

    It is the same each time, so that the service's prompt cache recognises the conversation.
    """
    return hashlib.sha256(item_id.encode()).hexdigest()[:9]


def _server_result(item: Mapping[str, Any]) -> str:
    """Returns the call's output. Where there was none, a text says so: the model would repeat the call."""
    return str(item.get("output") or "(The call came to no result.)")


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    match part["type"]:
        case "input_image":
            detail = {"detail": part["detail"]} if part.get("detail") else {}
            return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
        case "refusal":
            return {"type": "refusal", "refusal": part["refusal"]}
        case _:
            return {"type": "text", "text": part["text"]}


def without_references(items: Items, found: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the items, each reference replaced by its item. Raises InvalidRequest."""
    return [_resolved(item, found) for item in items]


def _resolved(item: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if item["type"] != "item_reference":
        return item
    if item["id"] not in found:
        raise _invalid(f"Item with id '{item['id'][:80]}' not found.", code="item_not_found")
    return found[item["id"]]


def referenced(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [item["id"] for item in items if item["type"] == "item_reference"]


def _invalid(message: str, *, code: str = "invalid_messages") -> InvalidRequest:
    return InvalidRequest(message, param="input", code=code)
