"""A response's request. Unknown fields are ignored; what OpenAI knows and we cannot do is refused."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from assistants.openai_api.messages import ByShape, Schema, Text
from assistants.openai_api.responses.input_items import Item
from assistants.openai_api.validation import (
    MOST_ITEMS,
    MOST_TOOLS,
    FunctionName,
    Tokens,
    check_arguments,
    check_schema,
    invalid,
    references,
)
from core.errors import InvalidRequest

_UNSUPPORTED = ("prompt", "max_tool_calls", "top_logprobs", "moderation")


class FunctionTool(Schema):
    type: str
    name: FunctionName | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as Chat Completions define it."""
        return {"type": "function", "function": self.model_dump(exclude={"type"}, exclude_none=True)}


class FunctionChoice(Schema):
    type: Literal["function"]
    name: str


class ServerToolChoice(Schema):
    """A tool of one of our servers, by the server's slug and the tool's own name."""

    type: Literal["mcp"]
    server_label: str
    name: str


def _choice_tag(value: Any) -> str:
    return str(value.get("type")) if isinstance(value, dict) else "mode"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")]
    | Annotated[FunctionChoice, Tag("function")]
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
    effort: Annotated[str, Field(pattern=r"^[a-z_-]{1,32}$")] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    """The former name of `summary`."""


ConversationId = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]


class ConversationConfig(Schema):
    id: ConversationId


def _conversation_tag(value: Any) -> str:
    return "object" if isinstance(value, dict) else "text"


Conversation = Annotated[
    Annotated[ConversationId, Tag("text")] | Annotated[ConversationConfig, Tag("object")],
    Discriminator(_conversation_tag),
]


class ResponseRequest(Schema):
    model: str
    input: Annotated[Text | Annotated[list[Item], Tag("list")], ByShape] = []
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    store: bool | None = None
    previous_response_id: Annotated[str, Field(max_length=64)] | None = None
    conversation: Conversation | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    max_output_tokens: Tokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    safety_identifier: Annotated[str, Field(max_length=512)] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=512)] | None = None
    metadata: dict[str, Any] | None = None
    session_id: str | None = None
    # Known, and refused unless they ask for nothing:
    prompt: Any = None
    max_tool_calls: int | None = None
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
    def sampling(self) -> dict[str, Any]:
        """The parameters for the model, by their names in Chat Completions."""
        text = self.text or TextConfig()
        params = {
            "max_completion_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "parallel_tool_calls": self.parallel_tool_calls,
            "response_format": text.format.response_format if text.format else None,
            "verbosity": text.verbosity,
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            "user": self.user,
        }
        return {name: value for name, value in params.items() if value is not None}


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
    for param, reason in _unsupported(request):
        raise InvalidRequest(reason, param=param, code="unsupported_parameter")
    for param, reason in _wrong(request):
        raise InvalidRequest(reason, param=param, code="invalid_value")
    if request.text and request.text.format and request.text.format.type == "json_schema":
        check_schema(request.text.format.schema_ or {}, "text.format.schema")
    return request


def _unsupported(request: ResponseRequest) -> Iterator[tuple[str, str]]:
    for name in _UNSUPPORTED:
        if getattr(request, name):
            yield name, f"'{name}' is not supported."
    for index, tool in enumerate(request.tools or ()):
        if tool.type != "function":
            reason = "Bring tools of type 'function'. The assistant's own are there without being named."
            yield f"tools[{index}].type", reason


def _wrong(request: ResponseRequest) -> Iterator[tuple[str, str]]:
    if request.previous_response_id and request.conversation_id:
        yield "conversation", "Go on from 'previous_response_id' or in a 'conversation', not both."
    if request.background and not request.is_stored:
        yield "store", "A response in the background has to be stored."
    if len(request.tools or ()) > MOST_TOOLS:
        yield "tools", f"At most {MOST_TOOLS} tools."
    for index, tool in enumerate(request.tools or ()):
        if tool.name is None:
            yield f"tools[{index}].name", f"'tools[{index}].name' is required."
        if any(not reference.startswith("#") for reference in references(tool.parameters)):
            reason = "A schema may refer only to its own parts, by '#/...': nothing else is fetched."
            yield f"tools[{index}].parameters", reason
