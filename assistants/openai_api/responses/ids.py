"""The ids of a response, its run and its items. An item's id contains that of its response."""

import re
import uuid
from dataclasses import dataclass, field

_ITEM = re.compile(r"[a-z]+_([0-9a-f]{32})[io][0-9a-f]{4,}")
_APPROVAL = re.compile(r"mcpr_[0-9a-f]{32}o([0-9a-f]{4,15})")
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcprr",
    "reasoning": "rs",
}


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of one response."""

    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def response(self) -> str:
        return f"resp_{self.token}"

    @property
    def run(self) -> str:
        return f"run_{self.token}"

    def of_input(self, kind: str, index: int) -> str:
        return f"{_PREFIXES.get(kind, 'item')}_{self.token}i{index:04x}"

    def of_output(self, kind: str, index: int) -> str:
        return f"{_PREFIXES[kind]}_{self.token}o{index:04x}"

    def of_approval(self, number: int) -> str:
        """Returns the id of the item that asks for an approval. It holds the approval's own number."""
        return self.of_output("mcp_approval_request", number)

    @classmethod
    def of(cls, response_id: str) -> "Ids":
        return cls(response_id.removeprefix("resp_"))


def response_of(item_id: str) -> str | None:
    """Returns the id of the response that the item belongs to; None for an id that is not ours."""
    match = _ITEM.fullmatch(item_id)
    return f"resp_{match[1]}" if match else None


def approval_of(item_id: str) -> int | None:
    """Returns the number of the approval that an item asks for; None for an id that is not ours."""
    match = _APPROVAL.fullmatch(item_id)
    return int(match[1], 16) if match else None
