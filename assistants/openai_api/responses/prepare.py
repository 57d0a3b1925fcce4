"""From a response's request to a run that can start, in a web process or in a worker."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apikeys.authentication import Principal
from assistants import routing
from assistants.agent import RunRequest
from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import hidden_rounds, images
from assistants.conversations.hidden_rounds import HiddenRoundsSaver
from assistants.events import Event
from assistants.openai_api.pipeline import Observer, observed_run
from assistants.openai_api.responses import context, transcript
from assistants.openai_api.responses.answer import Answer
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.output import ResponseEvent
from assistants.openai_api.responses.request import FunctionChoice, ResponseRequest, ServerToolChoice
from assistants.openai_api.responses.resource import new_resource
from assistants.openai_api.responses.transcript import Items
from assistants.openai_api.validation import MOST_TOOLS
from assistants.recording import Origin
from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class PreparedResponse:
    """A valid request, and its answer so far. `input`: the request's own items, as they are stored."""

    params: ResponseRequest
    principal: Principal
    input: Items
    answer: Answer
    tool_lists: Sequence[Mapping[str, Any]]
    run_request: RunRequest
    origin: Origin

    async def start(self, *observers: Observer) -> AsyncGenerator[Event, None]:
        """Returns the run, its images as the service takes them. Raises InvalidRequest for a useless one."""
        request = self.run_request
        messages = await _with_images(request, self.params)
        messages = await hidden_rounds.restored(
            messages, self.principal, request.assistant, are_rounds_visible=True
        )
        if request.client_tools:
            observers = (HiddenRoundsSaver(self.principal, request.assistant), *observers)
        return observed_run(replace(request, messages=messages), self.origin, observers)

    def begin(self) -> list[ResponseEvent]:
        return self.answer.begin(self.tool_lists)


async def prepare(
    params: ResponseRequest,
    principal: Principal,
    *,
    ids: Ids,
    request_id: str,
    session_id: str | None,
    first_number: int = 0,
) -> PreparedResponse:
    """Raises InvalidRequest, ModelNotFound and NoAssistantFits."""
    own = transcript.stored_items(params.input, ids)
    before, items = await context.resolve(params, own, principal)
    session_id = params.conversation_id or session_id
    route = await routing.route(params.model, principal, [*before, *items], session_id)
    assistant = route.assistant
    _check_names(params, assistant)
    body = new_resource(params, model=route.model, response_id=ids.response, created_at=int(time.time()))
    labels = {function.public_name: function.server_slug for function in assistant.functions}
    return PreparedResponse(
        params=params,
        principal=principal,
        input=items,
        answer=Answer(body, server_labels=labels, first_number=first_number, extension=route.extension),
        tool_lists=[] if params.tool_choice == "none" else _new_tool_lists([*before, *items], assistant),
        run_request=_run_request(params, [*before, *items], assistant),
        origin=Origin(principal, request_id, session_id, ids.run),
    )


async def _with_images(request: RunRequest, params: ResponseRequest) -> Sequence[Mapping[str, Any]]:
    takes_addresses = request.assistant.endpoint.takes_image_addresses
    try:
        return await images.for_service(request.messages, takes_addresses=takes_addresses)
    except images.InvalidImage as error:
        raise images.InvalidImage(error.reason, error.url, params.path_of_image(error.url)) from error
    except InvalidRequest as error:
        message = str(error.detail).replace("'messages'", "'input'")
        raise InvalidRequest(message, param="input", code="invalid_image_url") from error


def _run_request(params: ResponseRequest, items: Items, assistant: AssistantEntry) -> RunRequest:
    names = _public_names(assistant)
    return RunRequest(
        assistant=assistant,
        messages=transcript.messages(
            items,
            lambda server, name: names.get((server, name), f"{server}__{name}"),
            instructions=params.instructions,
        ),
        parameters=params.sampling,
        client_tools=[tool.definition for tool in params.tools or ()],
        tool_choice=_tool_choice(params, assistant),
    )


def _public_names(assistant: AssistantEntry) -> dict[tuple[str, str], str]:
    return {(function.server_slug, function.name): function.public_name for function in assistant.functions}


def _tool_choice(params: ResponseRequest, assistant: AssistantEntry) -> str | dict[str, Any] | None:
    match params.tool_choice:
        case FunctionChoice(name=name):
            return {"type": "function", "function": {"name": name}}
        case ServerToolChoice() as choice:
            name = _public_names(assistant)[choice.server_label, choice.name]
            return {"type": "function", "function": {"name": name}}
        case mode:
            return mode


def _check_names(params: ResponseRequest, assistant: AssistantEntry) -> None:
    """The caller's tools share the model's namespace with the assistant's own."""
    own_names: set[str] = set()
    for index, tool in enumerate(params.tools or ()):
        if tool.name in assistant.by_name or tool.name in own_names:
            message = f"There is already a tool with the name '{tool.name}': choose another."
            raise InvalidRequest(message, param=f"tools[{index}].name", code="tool_name_conflict")
        own_names.add(str(tool.name))
    match params.tool_choice:
        case FunctionChoice(name=name):
            is_known = name in own_names or name in assistant.by_name
        case ServerToolChoice(server_label=label, name=name):
            is_known = (label, name) in _public_names(assistant)
        case _:
            is_known = True
    if not is_known:
        message = "The tool of 'tool_choice' is neither among 'tools' nor one of the assistant's."
        raise InvalidRequest(message, param="tool_choice.name", code="invalid_value")


def _new_tool_lists(items: Items, assistant: AssistantEntry) -> list[dict[str, Any]]:
    """Returns the tools of each server that the conversation does not list yet as they are now.

    Returns none where the assistant selects among more tools than a model can be given: the list would
    promise what no round offers.
    """
    if assistant.selection != "all" and len(assistant.functions) > MOST_TOOLS:
        return []
    listed = {item["server_label"]: item["tools"] for item in items if item["type"] == "mcp_list_tools"}
    lists: dict[str, list[dict[str, Any]]] = {server.slug: [] for server in assistant.servers}
    for function in assistant.functions:
        tool = {
            "name": function.name,
            "description": function.description,
            "input_schema": function.input_schema,
        }
        lists[function.server_slug].append(tool)
    return [
        {"server_label": slug, "tools": tools} for slug, tools in lists.items() if listed.get(slug) != tools
    ]
