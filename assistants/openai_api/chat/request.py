"""A chat completion's request. Unknown fields are ignored; what OpenAI knows and we cannot do is refused."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from assistants.openai_api.messages import AssistantMessage, ByShape, Message, Schema, Text
from assistants.openai_api.validation import (
    MOST_TOOLS,
    FunctionName,
    Tokens,
    check_arguments,
    check_schema,
    invalid,
    references,
)
from core.errors import InvalidRequest

_SAMPLING = {
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "top_p",
    "user",
}

Penalty = Annotated[float, Field(ge=-2, le=2)]


class StreamOptions(Schema):
    include_usage: bool | None = None


class JSONSchemaFormat(Schema):
    name: FunctionName
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormat(Schema):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchemaFormat | None = None


class Extension(Schema):
    """`mcp_connector`: requests that OpenAI's API has no field for."""

    render: Literal["none", "reasoning", "details"] | None = None
    history: Literal["stored"] | None = None


class FunctionDefinition(Schema):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Schema):
    type: Literal["function", "custom"]
    function: FunctionDefinition | None = None


class NamedFunction(Schema):
    name: str


class NamedChoice(Schema):
    type: Literal["function"]
    function: NamedFunction


def _choice_shape(value: Any) -> str:
    return "named" if isinstance(value, dict) else "mode"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")] | Annotated[NamedChoice, Tag("named")],
    Discriminator(_choice_shape),
]
Stop = Annotated[Text | Annotated[list[str], Field(max_length=4), Tag("list")], ByShape]


class ChatCompletionRequest(Schema):
    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: Stop | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: Annotated[str, Field(pattern=r"^[a-z_-]{1,32}$")] | None = None
    user: Annotated[str, Field(max_length=512)] | None = None
    metadata: dict[str, Any] | None = None
    session_id: str | None = None
    mcp_connector: Extension | None = None
    # Known, and refused unless they ask for nothing:
    n: Annotated[int, Field(ge=1)] | None = None
    modalities: list[str] | None = None
    audio: Any = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, Any] | None = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None

    @property
    def is_history_stored(self) -> bool:
        """Whether the conversation goes on from what is stored of its session, and is stored itself."""
        return self.mcp_connector is not None and self.mcp_connector.history == "stored"

    @property
    def tool_definitions(self) -> list[dict[str, Any]]:
        """The caller's tools as OpenAI tool definitions."""
        return [tool.model_dump(exclude_none=True) for tool in self.tools or ()]

    @property
    def sampling(self) -> dict[str, Any]:
        """The parameters for the model, with `max_tokens` under its present name."""
        params = self.model_dump(include=_SAMPLING, exclude_none=True, by_alias=True)
        if (limit := params.pop("max_tokens", None)) is not None:
            params.setdefault("max_completion_tokens", limit)
        return params


def validate(body: Mapping[str, Any]) -> ChatCompletionRequest:
    """Raises InvalidRequest, whose `param` names the field."""
    try:
        request = ChatCompletionRequest.model_validate(body)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)[0], body) from None
    for param, reason in _unsupported(request):
        raise InvalidRequest(reason, param=param, code="unsupported_parameter")
    check_arguments(_arguments(request.messages), "messages")
    _check_tools(request.tools or [])
    _check_response_format(request.response_format)
    return request


def _arguments(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        if isinstance(message, AssistantMessage):
            yield from (call.function.arguments for call in message.tool_calls or ())


def _unsupported(request: ChatCompletionRequest) -> Iterator[tuple[str, str]]:
    if (request.n or 1) > 1:
        yield "n", "An assistant gives one answer: leave 'n' out, or set it to 1."
    if request.audio is not None or "audio" in (request.modalities or ()):
        yield (
            "audio" if request.audio is not None else "modalities",
            "Answers are text: audio is not supported.",
        )
    if request.logprobs or request.top_logprobs:
        yield "logprobs", "Log probabilities are not supported."
    for name in ("logit_bias", "web_search_options", "functions", "function_call"):
        if getattr(request, name):
            yield name, f"'{name}' is not supported."


def _check_response_format(response_format: ResponseFormat | None) -> None:
    path = "response_format.json_schema"
    if response_format is None or response_format.type != "json_schema":
        return
    if response_format.json_schema is None:
        raise InvalidRequest(f"'{path}' is required.", param=path, code="missing_required_parameter")
    check_schema(response_format.json_schema.schema_ or {}, f"{path}.schema")


def _check_tools(tools: Sequence[Tool]) -> None:
    if len(tools) > MOST_TOOLS:
        raise InvalidRequest(f"At most {MOST_TOOLS} tools.", param="tools", code="too_many_tools")
    for index, tool in enumerate(tools):
        _check_tool(tool, f"tools[{index}]")


def _check_tool(tool: Tool, path: str) -> None:
    if tool.type == "custom":
        message = "Custom tools are not supported: use tools of type 'function'."
        raise InvalidRequest(message, param=f"{path}.type", code="unsupported_parameter")
    if tool.function is None:
        message = f"'{path}.function' is required."
        raise InvalidRequest(message, param=f"{path}.function", code="missing_required_parameter")
    for reference in references(tool.function.parameters):
        if not reference.startswith("#"):
            message = "A schema may refer only to its own parts, by '#/...': nothing else is fetched."
            raise InvalidRequest(message, param=f"{path}.function.parameters", code="invalid_tool_schema")
