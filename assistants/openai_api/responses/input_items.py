"""The items that a request to the Responses API may bring. Types are strict, unknown fields are ignored."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, WithJsonSchema

from assistants.openai_api.messages import ByShape, ByType, Text, Wire

ItemId = Annotated[str, Field(min_length=1, max_length=256)]


class InputText(Wire):
    type: Literal["input_text"]
    text: str


class OutputText(Wire):
    type: Literal["output_text"]
    text: str


class Refusal(Wire):
    type: Literal["refusal"]
    refusal: str


class InputImage(Wire):
    type: Literal["input_image"]
    image_url: str
    detail: str | None = None


AskedParts = Annotated[list[Annotated[InputText | InputImage, ByType]], Field(min_length=1), Tag("list")]
ToldParts = Annotated[list[InputText], Field(min_length=1), Tag("list")]
SaidParts = Annotated[list[Annotated[InputText | OutputText | Refusal, ByType]], Tag("list")]
ResultParts = Annotated[list[Annotated[InputText | InputImage, ByType]], Tag("list")]


class UserMessage(Wire):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["user"]
    content: Annotated[Text | AskedParts, ByShape]


class InstructionMessage(Wire):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["system", "developer"]
    content: Annotated[Text | ToldParts, ByShape]


class AssistantMessage(Wire):
    type: Literal["message"] = "message"
    id: ItemId | None = None
    role: Literal["assistant"]
    content: Annotated[Text | SaidParts, ByShape]


class FunctionCall(Wire):
    """A call of a tool that the caller brought."""

    type: Literal["function_call"]
    id: ItemId | None = None
    call_id: ItemId
    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str


class FunctionCallOutput(Wire):
    type: Literal["function_call_output"]
    id: ItemId | None = None
    call_id: ItemId
    output: Annotated[Text | ResultParts, ByShape]


class ServerCall(Wire):
    """A call of a tool of ours, as an earlier response showed it."""

    type: Literal["mcp_call"]
    id: ItemId | None = None
    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: Any = None


class ServerTools(Wire):
    type: Literal["mcp_list_tools"]
    id: ItemId | None = None
    server_label: str
    tools: list[dict[str, Any]]


class Reasoning(Wire):
    """What other services' models thought; none of ours needs it back."""

    type: Literal["reasoning"]
    id: ItemId | None = None


class Reference(Wire):
    """An item that is stored."""

    type: Literal["item_reference"] = "item_reference"
    id: ItemId


def _tag(item: Any) -> str:
    """By type; messages by role. A type may be left out where there is a role, or nothing but an id."""
    if not isinstance(item, dict):
        return "user"
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    return str(item.get("role")) if kind == "message" else str(kind)


_DESCRIBED = {
    "type": "object",
    "description": (
        "An item as OpenAI has them: message, function_call, function_call_output, mcp_call, mcp_list_tools,"
        " reasoning (ignored) or item_reference."
    ),
}

Item = Annotated[
    Annotated[UserMessage, Tag("user")]
    | Annotated[InstructionMessage, Tag("system")]
    | Annotated[InstructionMessage, Tag("developer")]
    | Annotated[AssistantMessage, Tag("assistant")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[ServerCall, Tag("mcp_call")]
    | Annotated[ServerTools, Tag("mcp_list_tools")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[Reference, Tag("item_reference")],
    Discriminator(_tag),
    WithJsonSchema(_DESCRIBED),
]
