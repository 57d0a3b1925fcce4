"""The messages of a chat, by role. Types are strict: 1 is no text. Unknown fields are ignored."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class TextPart(Wire):
    type: Literal["text"]
    text: str


class RefusalPart(Wire):
    type: Literal["refusal"]
    refusal: str


class ImageURL(Wire):
    url: str


class ImagePart(Wire):
    type: Literal["image_url"]
    image_url: ImageURL


def _shape(value: Any) -> str:
    """Told beforehand, so that a refusal speaks of one shape and not of both."""
    return "list" if isinstance(value, list) else "text"


ByType = Discriminator("type")
ByShape = Discriminator(_shape)
Text = Annotated[str, Tag("text")]
TextParts = Annotated[list[TextPart], Field(min_length=1), Tag("list")]
AskedParts = Annotated[list[Annotated[TextPart | ImagePart, ByType]], Field(min_length=1), Tag("list")]
SaidParts = Annotated[list[Annotated[TextPart | RefusalPart, ByType]], Tag("list")]
ResultParts = Annotated[list[Annotated[TextPart | ImagePart, ByType]], Tag("list")]


class SystemMessage(Wire):
    role: Literal["system", "developer"]
    content: Annotated[Text | TextParts, ByShape]


class UserMessage(Wire):
    role: Literal["user"]
    content: Annotated[Text | AskedParts, ByShape]


class FunctionCall(Wire):
    name: str
    arguments: str


class ToolCall(Wire):
    id: Annotated[str, Field(min_length=1, max_length=256)]
    type: Literal["function"]
    function: FunctionCall


class AssistantMessage(Wire):
    role: Literal["assistant"]
    content: Annotated[Text | SaidParts, ByShape] | None = None
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Wire):
    role: Literal["tool"]
    content: Annotated[Text | ResultParts, ByShape]
    tool_call_id: str


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage,
    Discriminator("role"),
]
