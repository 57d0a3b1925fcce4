"""The items that a request to the Responses API may contain."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from assistants.openai_api.messages import ByShape, ByType, Schema, Text
from assistants.openai_api.responses.tools import Tool

ItemId = Annotated[str, Field(min_length=1, max_length=256)]


class InputText(Schema):
    type: Literal["input_text"]
    text: str


class OutputText(Schema):
    type: Literal["output_text"]
    text: str


class Refusal(Schema):
    type: Literal["refusal"]
    refusal: str


class InputImage(Schema):
    type: Literal["input_image"]
    image_url: str
    detail: str | None = None


UserParts = Annotated[list[Annotated[InputText | InputImage, ByType]], Field(min_length=1), Tag("list")]
InstructionParts = Annotated[list[InputText], Field(min_length=1), Tag("list")]
AssistantParts = Annotated[list[Annotated[InputText | OutputText | Refusal, ByType]], Tag("list")]
ResultParts = Annotated[list[Annotated[InputText | InputImage, ByType]], Tag("list")]


class UserMessage(Schema):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["user"]
    content: Annotated[Text | UserParts, ByShape]


class InstructionMessage(Schema):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["system", "developer"]
    content: Annotated[Text | InstructionParts, ByShape]


class AssistantMessage(Schema):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["assistant"]
    content: Annotated[Text | AssistantParts, ByShape]


class FunctionCall(Schema):
    """A call of a tool that the caller brought. Fields beside these go back to the LLM service."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: Literal["function_call"]
    id: ItemId | None = None
    call_id: ItemId
    name: Annotated[str, Field(min_length=1, max_length=64)]
    namespace: str | None = None
    arguments: str


class CustomToolCall(Schema):
    """A call of a custom tool of the caller's."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: Literal["custom_tool_call"]
    id: ItemId | None = None
    call_id: ItemId
    name: Annotated[str, Field(min_length=1, max_length=64)]
    namespace: str | None = None
    input: str


class LocalShellCall(Schema):
    """A call of the caller's shell. Its output names it by `call_id`, or by what OpenAI calls its `id`."""

    model_config = ConfigDict(strict=True, extra="allow")

    type: Literal["local_shell_call"]
    id: ItemId | None = None
    call_id: ItemId
    action: dict[str, Any]


class FunctionCallOutput(Schema):
    type: Literal["function_call_output", "custom_tool_call_output"]
    id: ItemId | None = None
    call_id: ItemId
    output: Annotated[Text | ResultParts, ByShape]


class LocalShellCallOutput(Schema):
    type: Literal["local_shell_call_output"]
    id: ItemId | None = None
    call_id: ItemId | None = None
    output: Annotated[Text | ResultParts, ByShape]


class ServerCall(Schema):
    """A call of a tool of ours, as an earlier response showed it."""

    type: Literal["mcp_call"]
    id: ItemId | None = None
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: Any = None
    approval_request_id: ItemId | None = None


class ApprovalRequest(Schema):
    """A call of a tool of ours that the caller decides about, as an earlier response showed it."""

    type: Literal["mcp_approval_request"]
    id: ItemId
    server_label: str
    name: str
    arguments: str


class ApprovalResponse(Schema):
    """The caller's decision."""

    type: Literal["mcp_approval_response"]
    id: ItemId | None = None
    approval_request_id: ItemId
    approve: bool
    reason: Annotated[str, Field(max_length=1_000)] | None = None


class ServerTools(Schema):
    type: Literal["mcp_list_tools"]
    id: ItemId | None = None
    server_label: str
    tools: list[dict[str, Any]]


class Reasoning(Schema):
    """What a model thought. Before a function call it goes back to the LLM service."""

    type: Literal["reasoning"]
    id: ItemId | None = None
    summary: Any = None
    content: Any = None


class AdditionalTools(Schema):
    """Tools that the caller brings in the course of a conversation."""

    type: Literal["additional_tools"]
    id: ItemId | None = None
    tools: list[Tool]


class IgnoredItem(Schema):
    """An item of another service's history, or of a client's own affairs. It says nothing to a model here."""

    type: Literal[
        "code_interpreter_call",
        "compaction",
        "compaction_summary",
        "configuration_update",
        "file_search_call",
        "ghost_snapshot",
        "image_generation_call",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    ]
    id: str | None = None


IGNORED: tuple[str, ...] = IgnoredItem.model_fields["type"].annotation.__args__  # type: ignore[union-attr]


class Reference(Schema):
    """An item that is stored."""

    type: Literal["item_reference"] = "item_reference"
    id: ItemId


def _tag(item: Any) -> str:
    """Tags an item by its type, and a message by its role.

    Clients may leave out the type of a message (there is a role) and of a reference (there is only an id).
    """
    if not isinstance(item, dict):
        return "user"
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    if kind in IGNORED:
        return "ignored"
    return str(item.get("role")) if kind == "message" else str(kind)


_DESCRIBED = {
    "type": "object",
    "description": (
        "An item as OpenAI has them: message, function_call, custom_tool_call, local_shell_call, outputs of"
        " these, mcp_call, mcp_list_tools, mcp_approval_request, mcp_approval_response, reasoning,"
        " additional_tools or item_reference."
    ),
}

Item = Annotated[
    Annotated[UserMessage, Tag("user")]
    | Annotated[InstructionMessage, Tag("system")]
    | Annotated[InstructionMessage, Tag("developer")]
    | Annotated[AssistantMessage, Tag("assistant")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[CustomToolCall, Tag("custom_tool_call")]
    | Annotated[FunctionCallOutput, Tag("custom_tool_call_output")]
    | Annotated[LocalShellCall, Tag("local_shell_call")]
    | Annotated[LocalShellCallOutput, Tag("local_shell_call_output")]
    | Annotated[AdditionalTools, Tag("additional_tools")]
    | Annotated[IgnoredItem, Tag("ignored")]
    | Annotated[ServerCall, Tag("mcp_call")]
    | Annotated[ServerTools, Tag("mcp_list_tools")]
    | Annotated[ApprovalRequest, Tag("mcp_approval_request")]
    | Annotated[ApprovalResponse, Tag("mcp_approval_response")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[Reference, Tag("item_reference")],
    Discriminator(_tag),
    WithJsonSchema(_DESCRIBED),
]
