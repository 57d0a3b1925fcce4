"""From a chat completion's request to a run that can start."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from assistants import routing
from assistants.agent import RunRequest, continuing
from assistants.approvals import Past, holds, sentences
from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import hidden_rounds, images, stored_history
from assistants.conversations.hidden_rounds import HiddenRoundsSaver
from assistants.conversations.stored_history import HistorySaver
from assistants.openai_api.chat import message_order
from assistants.openai_api.chat.request import (
    AllowedChoice,
    ChatCompletionRequest,
    NamedChoice,
    ToolChoice,
    validate,
)
from assistants.openai_api.chat.tool_call_rendering import Rendering, rendering
from assistants.openai_api.pipeline import Observer
from assistants.recording import Origin
from core import off_loop
from core.errors import InvalidRequest

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class PreparedChat:
    """A request that was found in order.

    `model` is the name under which the answer comes; `extension` are fields of its `mcp_connector`.
    """

    params: ChatCompletionRequest
    run_request: RunRequest
    origin: Origin
    observers: Sequence[Observer]
    rendering: Rendering
    model: str
    extension: Mapping[str, Any]


async def prepare(content: Mapping[str, Any], params: ChatCompletionRequest, origin: Origin) -> PreparedChat:
    """`content` is the request as it was sent: of its messages, `params` holds the validated part alone.

    Raises InvalidRequest, ModelNotFound and NoAssistantFits.
    """
    messages: Messages = content["messages"]
    if params.is_history_stored:
        messages = stored_history.continued(await _stored_messages(origin), messages)
        whole = partial(validate, {**content, "messages": messages})
        message_order.check((await off_loop.run(whole, size=off_loop.SMALL + 1)).messages)
    else:
        message_order.check(params.messages)
    sent: Messages = content["messages"]
    said = sentences.cut_from_all(messages)
    own = said if messages is sent else sentences.cut_from_all(sent)
    route = await routing.route(params.model, origin.principal, said, origin.session_id)
    assistant = route.assistant
    # After routing: the service decides what becomes of images, and hidden rounds belong to an assistant.
    hold_s = holds.of(is_streamed=bool(params.stream))
    is_stored = params.is_history_stored and not any(map(_is_answer, sent))
    continued = await continuing.continued(
        messages, origin.asker(assistant), visible=said, wait_s=holds.OUTCOMES_S, is_answer_stored=is_stored
    )
    takes_addresses = assistant.endpoint.takes_image_addresses
    messages = await images.for_service(continued.messages, takes_addresses=takes_addresses)
    messages = await hidden_rounds.restored(messages, origin.principal, assistant)
    request = _run_request(params, messages, assistant)
    return PreparedChat(
        params=params,
        run_request=replace(request, continued=continued, hold_s=hold_s, past=Past(own)),
        origin=origin,
        observers=_observers(params, own, request, origin),
        rendering=rendering(params, assistant),
        model=route.model,
        extension={**origin.extension, **route.extension},
    )


def _is_answer(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "assistant")


async def _stored_messages(origin: Origin) -> Messages:
    if origin.session_id is None:
        message = "A stored history needs the id of its session: X-Session-Id, or session_id."
        raise InvalidRequest(message, param="mcp_connector.history", code="missing_required_parameter")
    return await stored_history.load(origin.principal.id, origin.session_id)


def _run_request(params: ChatCompletionRequest, messages: Messages, assistant: AssistantEntry) -> RunRequest:
    definitions = params.tool_definitions
    _check_names(params, definitions, assistant)
    choice = params.tool_choice
    allowed = choice.allowed_tools if isinstance(choice, AllowedChoice) else None
    return RunRequest(
        assistant=assistant,
        messages=messages,
        parameters=params.sampling,
        client_tools=definitions,
        tool_choice=_tool_choice(choice),
        allowed=frozenset(tool.function.name for tool in allowed.tools) if allowed else None,
    )


def _tool_choice(choice: ToolChoice | None) -> str | dict[str, Any] | None:
    match choice:
        case NamedChoice():
            return choice.model_dump()
        case AllowedChoice():
            return choice.allowed_tools.mode
        case mode:
            return mode


def _observers(
    params: ChatCompletionRequest, own_messages: Messages, request: RunRequest, origin: Origin
) -> list[Observer]:
    observers: list[Observer] = []
    if request.client_tools:
        observers.append(HiddenRoundsSaver(origin.principal, request.assistant))
    if params.is_history_stored and origin.session_id:
        key_id, session_id = origin.principal.id, origin.session_id
        observers.append(HistorySaver(own_messages, api_key_id=key_id, session_id=session_id))
    return observers


def _check_names(
    params: ChatCompletionRequest, definitions: Sequence[Mapping[str, Any]], assistant: AssistantEntry
) -> None:
    """The caller's tools share the model's namespace with the assistant's own."""
    theirs: set[str] = set()
    for index, definition in enumerate(definitions):
        name = definition["function"]["name"]
        if name in assistant.by_name or name in theirs:
            message = f"There is already a tool with the name '{name}': choose another."
            param = f"tools[{index}].function.name"
            raise InvalidRequest(message, param=param, code="tool_name_conflict")
        theirs.add(name)
    for param, chosen in _chosen(params.tool_choice):
        if chosen.function.name not in theirs and chosen.function.name not in assistant.by_name:
            message = "The tool of 'tool_choice' is neither among 'tools' nor one of the assistant's."
            raise InvalidRequest(message, param=f"{param}.function.name", code="invalid_value")


def _chosen(choice: ToolChoice | None) -> Iterator[tuple[str, NamedChoice]]:
    """Yields the tools that are named, with their paths in the request."""
    match choice:
        case NamedChoice():
            yield "tool_choice", choice
        case AllowedChoice():
            for index, tool in enumerate(choice.allowed_tools.tools):
                yield f"tool_choice.allowed_tools.tools[{index}]", tool
