"""A chat completion's request. Unknown fields are ignored; what OpenAI knows and we cannot do is refused."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationError

from assistants.openai_api.messages import AssistantMessage, ByShape, Message, Schema, Text
from assistants.openai_api.shared_fields import SharedFields, Word
from assistants.openai_api.validation import (
    MOST_TOOLS,
    FunctionName,
    Tokens,
    check_arguments,
    check_schema,
    invalid,
    tool_schema_problem,
)
from core.errors import InvalidRequest

_SAMPLING = {
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "prediction",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "verbosity",
}


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


class AllowedTools(Schema):
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedChoice], Field(min_length=1, max_length=MOST_TOOLS)]


class AllowedChoice(Schema):
    """A choice among some of the tools: the model is offered no others."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


def _choice_shape(value: Any) -> str:
    if not isinstance(value, dict):
        return "mode"
    return "allowed" if value.get("type") == "allowed_tools" else "named"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("mode")]
    | Annotated[NamedChoice, Tag("named")]
    | Annotated[AllowedChoice, Tag("allowed")],
    Discriminator(_choice_shape),
]
Stop = Annotated[Text | Annotated[list[str], Field(max_length=4), Tag("list")], ByShape]


class ChatCompletionRequest(SharedFields):
    messages: list[Message]
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    max_completion_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    stop: Stop | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: Word | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    prediction: dict[str, Any] | None = None
    mcp_connector: Extension | None = None
    # Known, and refused unless they ask for nothing:
    n: Annotated[int, Field(ge=1)] | None = None
    modalities: list[str] | None = None
    audio: Any = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
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
        return [_definition(tool) for tool in self.tools or ()]

    @property
    def sampling(self) -> dict[str, Any]:
        """The parameters for the model, with `max_tokens` under its present name."""
        own = self.model_dump(include=_SAMPLING, exclude_none=True, by_alias=True)
        params = {**self.shared_sampling, **own}
        if (limit := params.pop("max_tokens", None)) is not None:
            params.setdefault("max_completion_tokens", limit)
        return params


def _definition(tool: Tool) -> dict[str, Any]:
    # Not by `model_dump`, which copies the schema member by member.
    return {
        "type": tool.type,
        "function": {name: value for name, value in tool.function or () if value is not None},
    }


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
    for name in ("web_search_options", "functions", "function_call"):
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
    if problem := tool_schema_problem(tool.function.parameters):
        raise InvalidRequest(problem, param=f"{path}.function.parameters", code="invalid_tool_schema")
