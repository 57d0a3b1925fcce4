"""The items that a request to the Responses API may contain."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from assistants.openai_api.messages import ByShape, ByType, Schema, Text

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
    arguments: str


class FunctionCallOutput(Schema):
    type: Literal["function_call_output"]
    id: ItemId | None = None
    call_id: ItemId
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
    return str(item.get("role")) if kind == "message" else str(kind)


_DESCRIBED = {
    "type": "object",
    "description": (
        "An item as OpenAI has them: message, function_call, function_call_output, mcp_call, mcp_list_tools,"
        " reasoning or item_reference."
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
