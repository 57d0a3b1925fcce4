"""The messages of a chat, by role."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Schema(BaseModel):
    """Any part of a request. Strict: "1" is no number. Unknown fields are ignored, as clients send many."""

    model_config = ConfigDict(strict=True, extra="ignore")


class TextPart(Schema):
    type: Literal["text"]
    text: str


class RefusalPart(Schema):
    type: Literal["refusal"]
    refusal: str


Name = Annotated[str, Field(min_length=1, max_length=256)]


class ImageURL(Schema):
    url: str
    detail: str | None = None


class ImagePart(Schema):
    type: Literal["image_url"]
    image_url: ImageURL


def _shape(value: Any) -> str:
    """Tags a value as list or text, so that a validation error is about one of the two shapes alone."""
    return "list" if isinstance(value, list) else "text"


ByType = Discriminator("type")
ByShape = Discriminator(_shape)
Text = Annotated[str, Tag("text")]
TextParts = Annotated[list[TextPart], Field(min_length=1), Tag("list")]
UserParts = Annotated[list[Annotated[TextPart | ImagePart, ByType]], Field(min_length=1), Tag("list")]
AssistantParts = Annotated[list[Annotated[TextPart | RefusalPart, ByType]], Tag("list")]
ResultParts = Annotated[list[Annotated[TextPart | ImagePart, ByType]], Tag("list")]


class SystemMessage(Schema):
    role: Literal["system", "developer"]
    name: Name | None = None
    content: Annotated[Text | TextParts, ByShape]


class UserMessage(Schema):
    role: Literal["user"]
    name: Name | None = None
    content: Annotated[Text | UserParts, ByShape]


class FunctionCall(Schema):
    name: str
    arguments: str


class ToolCall(Schema):
    id: Annotated[str, Field(min_length=1, max_length=256)]
    type: Literal["function"]
    function: FunctionCall


class AssistantMessage(Schema):
    role: Literal["assistant"]
    name: Name | None = None
    content: Annotated[Text | AssistantParts, ByShape] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Schema):
    role: Literal["tool"]
    content: Annotated[Text | ResultParts, ByShape]
    tool_call_id: str


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    Discriminator("role"),
]
