"""A response's request. Unknown fields are ignored; what OpenAI knows and we cannot do is refused."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from assistants.openai_api.messages import ByShape, Schema, Text
from assistants.openai_api.responses import tools
from assistants.openai_api.responses.input_items import AdditionalTools, Item
from assistants.openai_api.responses.tools import Tool
from assistants.openai_api.shared_fields import LONGEST_SESSION_ID, SharedFields, Word
from assistants.openai_api.validation import (
    MOST_ITEMS,
    MOST_TOOLS,
    FunctionName,
    Tokens,
    check_arguments,
    check_schema,
    invalid,
)
from core.errors import InvalidRequest

_UNSUPPORTED = ("prompt", "top_logprobs", "moderation")


class FunctionChoice(Schema):
    type: Literal["function"]
    name: str


class CustomChoice(Schema):
    type: Literal["custom"]
    name: str


class ServerToolChoice(Schema):
    """A tool of one of our servers, by the server's slug and the tool's own name."""

    type: Literal["mcp"]
    server_label: str
    name: str


class AllowedTool(Schema):
    """A tool or a namespace of the caller's by `name`; all tools of a server, or one, by `server_label`."""

    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None


class AllowedToolsChoice(Schema):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[AllowedTool], Field(min_length=1, max_length=MOST_TOOLS)]


def _choice_tag(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else "mode"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")]
    | Annotated[FunctionChoice, Tag("function")]
    | Annotated[CustomChoice, Tag("custom")]
    | Annotated[AllowedToolsChoice, Tag("allowed_tools")]
    | Annotated[ServerToolChoice, Tag("mcp")],
    Discriminator(_choice_tag),
]


class TextFormat(Schema):
    type: Literal["text", "json_object", "json_schema"]
    name: FunctionName | None = None
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None

    @property
    def response_format(self) -> dict[str, Any]:
        """The format as Chat Completions ask for it."""
        if self.type != "json_schema":
            return {"type": self.type}
        params = self.model_dump(exclude={"type"}, exclude_none=True, by_alias=True)
        return {"type": self.type, self.type: {"name": "answer", **params}}


class TextConfig(Schema):
    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(Schema):
    effort: Word | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    """The former name of `summary`."""


ConversationId = Annotated[str, Field(min_length=1, max_length=LONGEST_SESSION_ID)]


class ConversationConfig(Schema):
    id: ConversationId


def _conversation_tag(value: Any) -> str:
    return "object" if isinstance(value, dict) else "text"


Conversation = Annotated[
    Annotated[ConversationId, Tag("text")] | Annotated[ConversationConfig, Tag("object")],
    Discriminator(_conversation_tag),
]


class ResponseExtension(Schema):
    """`mcp_connector`: requests that OpenAI's API has no field for."""

    render: Literal["items", "none"] | None = None
    """How the tools of our servers are shown: as items of the types mcp_call and mcp_list_tools, or not."""


class ResponseRequest(SharedFields):
    input: Annotated[Text | Annotated[list[Item], Tag("list")], ByShape] = []
    instructions: str | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: Annotated[str, Field(max_length=64)] | None = None
    conversation: Conversation | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    max_tool_calls: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    include: Annotated[list[str], Field(max_length=32)] | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    max_output_tokens: Tokens | None = None
    truncation: Literal["auto", "disabled"] | None = None
    mcp_connector: ResponseExtension | None = None
    # Known, and refused unless they ask for nothing:
    prompt: Any = None
    top_logprobs: int | None = None
    moderation: Any = None

    @property
    def is_stored(self) -> bool:
        return self.store is not False

    @property
    def conversation_id(self) -> str | None:
        return (
            self.conversation.id if isinstance(self.conversation, ConversationConfig) else self.conversation
        )

    def path_of_image(self, url: str) -> str:
        """Returns where the request names this image; "input" where the conversation before it does."""
        for number, item in enumerate(self.input if isinstance(self.input, list) else ()):
            for name in ("content", "output"):
                parts = getattr(item, name, None)
                for index, part in enumerate(parts if isinstance(parts, list) else ()):
                    if getattr(part, "image_url", None) == url:
                        return f"input[{number}].{name}[{index}].image_url"
        return "input"

    @property
    def shows_server_tools(self) -> bool:
        return self.mcp_connector is None or self.mcp_connector.render != "none"

    @property
    def sampling(self) -> dict[str, Any]:
        """The parameters for the model, by their names in Chat Completions."""
        text = self.text or TextConfig()
        params = {
            "max_completion_tokens": self.max_output_tokens,
            "response_format": text.format.response_format if text.format else None,
            "verbosity": text.verbosity,
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
        }
        own = {name: value for name, value in params.items() if value is not None}
        return {**self.shared_sampling, **own}


def validate(body: Mapping[str, Any]) -> ResponseRequest:
    """Raises InvalidRequest, whose `param` names the field."""
    if isinstance(items := body.get("input"), list) and len(items) > MOST_ITEMS:
        message = f"At most {MOST_ITEMS:,} items are read."
        raise InvalidRequest(message, param="input", code="too_many_messages")
    try:
        request = ResponseRequest.model_validate(body)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)[0], body) from None
    if isinstance(request.input, list):
        check_arguments((getattr(item, "arguments", "") for item in request.input), "input")
    for name in _UNSUPPORTED:
        if getattr(request, name):
            message = f"'{name}' is not supported."
            raise InvalidRequest(message, param=name, code="unsupported_parameter")
    tools.check(request.tools or ())
    for index, item in enumerate(request.input if isinstance(request.input, list) else ()):
        if isinstance(item, AdditionalTools):
            tools.check(item.tools, f"input[{index}].tools")
    for param, reason in _wrong(request):
        raise InvalidRequest(reason, param=param, code="invalid_value")
    if request.text and request.text.format and request.text.format.type == "json_schema":
        check_schema(request.text.format.schema_ or {}, "text.format.schema")
    return request


def _wrong(request: ResponseRequest) -> Iterator[tuple[str, str]]:
    if request.previous_response_id and request.conversation_id:
        yield "conversation", "Go on from 'previous_response_id' or in a 'conversation', not both."
    if request.background and not request.is_stored:
        yield "store", "A response in the background has to be stored."
