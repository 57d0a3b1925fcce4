"""Items by which a caller is asked about calls, and decides."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from assistants.approvals.decisions import Item
from assistants.openai_api.responses.ids import approval_of

Items = Sequence[Mapping[str, Any]]
_OF_ANSWERS = {"mcp_call", "mcp_list_tools", "reasoning", "function_call"}


def ids_by_number(items: Items) -> dict[int, str]:
    """Returns the ids of the items that ask, by the numbers of their approvals."""
    asking = (item["id"] for item in items if item["type"] == "mcp_approval_request")
    return {number: item_id for item_id in asking if (number := approval_of(item_id)) is not None}


def decisions(own: Items) -> list[tuple[int, Item]]:
    """Returns what the request decides, and which requests it sends back with that. `own`: its own items.

    A client that sends its whole conversation sends old decisions, too. Those behind the last answer are new.
    """
    last = list(takewhile(lambda each: not _is_of_answer(each[1]), reversed(list(enumerate(own)))))
    decided = [(index, item) for index, item in reversed(last) if item["type"] == "mcp_approval_response"]
    asked = {item["approval_request_id"] for _, item in decided}
    resent = [
        (index, item)
        for index, item in enumerate(own)
        if item["type"] == "mcp_approval_request" and item["id"] in asked
    ]
    return [*map(_resent, resent), *map(_decided, decided)]


def _is_of_answer(item: Mapping[str, Any]) -> bool:
    is_said = item["type"] == "message" and item["role"] == "assistant"
    return is_said or item["type"] in _OF_ANSWERS


def _resent(indexed: tuple[int, Mapping[str, Any]]) -> tuple[int, Item]:
    index, item = indexed
    call = (item["server_label"], item["name"], item["arguments"])
    return approval_of(item["id"]) or 0, Item(f"input[{index}]", call=call)


def _decided(indexed: tuple[int, Mapping[str, Any]]) -> tuple[int, Item]:
    index, item = indexed
    decision = Item(f"input[{index}].approval_request_id", item["approve"], item.get("reason") or "")
    return approval_of(item["approval_request_id"]) or 0, decision
