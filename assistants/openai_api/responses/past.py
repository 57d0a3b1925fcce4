"""How the conversation of a response is recognised: by what it follows, and what its caller sends itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from assistants.approvals import Past
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.request import ResponseRequest
from assistants.openai_api.responses.transcript import Items

_DECISION = "mcp_approval_response"


def past_of(
    params: ResponseRequest, before: Items, items: Items, messages: Sequence[Mapping[str, Any]], ids: Ids
) -> Past:
    """`before` are items that we have stored, `items` come from the caller, `messages` are of both."""
    said = messages if not before else [*_instructions(params), *map(_message, items)]
    return Past(said, follows=params.previous_response_id or "", answers_as=ids.response)


def _instructions(params: ResponseRequest) -> list[dict[str, Any]]:
    return [{"role": "developer", "content": params.instructions}] if params.instructions else []


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    """Returns who says an item: its text counts for a whole conversation only, where it begins with it."""
    if item["type"] == "message":
        return {"role": item["role"], "content": "" if item["role"] == "user" else str(item)}
    if item["type"] == _DECISION:
        return {"role": "user", "content": ""}
    is_result = item["type"].endswith("_output")
    return {"role": "tool" if is_result else "assistant", "content": str(item)}
