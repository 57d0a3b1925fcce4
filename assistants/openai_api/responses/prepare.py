"""From a request to a run that can start: in a web process, or in a worker for one in the background."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apikeys.authentication import Principal
from assistants import routing
from assistants.agent import RunRequest
from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import images
from assistants.events import Event
from assistants.openai_api.pipeline import Observer, observed_run
from assistants.openai_api.responses import context, transcript
from assistants.openai_api.responses.answer import Answer, WireEvent
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.request import FunctionChoice, ResponseRequest, ServerToolChoice
from assistants.openai_api.responses.resource import new_resource
from assistants.openai_api.responses.transcript import Items
from assistants.openai_api.validation import MOST_TOOLS
from assistants.recording import Origin
from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Work:
    """A request that was found in order, and its answer so far. `input`: its items, as they are stored."""

    asked: ResponseRequest
    principal: Principal
    input: Items
    answer: Answer
    tool_lists: Sequence[Mapping[str, Any]]
    run_request: RunRequest
    origin: Origin

    async def start(self, *observers: Observer) -> AsyncGenerator[Event, None]:
        """Returns the run, with the request's images fetched. Raises InvalidRequest if one cannot be."""
        messages = await _with_images(self.run_request.messages)
        return observed_run(replace(self.run_request, messages=messages), self.origin, observers)

    def begin(self) -> list[WireEvent]:
        return self.answer.begin(self.tool_lists)


async def prepare(
    asked: ResponseRequest,
    principal: Principal,
    *,
    ids: Ids,
    request_id: str,
    session_id: str | None,
    first_number: int = 0,
) -> Work:
    """Raises InvalidRequest, ModelNotFound and NoAssistantFits."""
    own = transcript.stored_items(asked.input, ids)
    before, items = await context.gathered(asked, own, principal)
    session_id = asked.conversation_id or session_id
    route = await routing.route(asked.model, principal, [*before, *items], session_id)
    assistant = route.assistant
    _check_names(asked, assistant)
    body = new_resource(asked, model=route.model, response_id=ids.response, created_at=int(time.time()))
    labels = {function.public_name: function.server_slug for function in assistant.functions}
    return Work(
        asked=asked,
        principal=principal,
        input=items,
        answer=Answer(body, server_labels=labels, first_number=first_number, extension=route.extension),
        tool_lists=[] if asked.tool_choice == "none" else _untold([*before, *items], assistant),
        run_request=_run_request(asked, [*before, *items], assistant),
        origin=Origin(principal, request_id, session_id, ids.run),
    )


async def _with_images(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    try:
        return await images.fetched(messages)
    except InvalidRequest as error:
        raise InvalidRequest(str(error.detail), param="input", code="invalid_image_url") from error


def _run_request(asked: ResponseRequest, items: Items, assistant: AssistantEntry) -> RunRequest:
    names = _public_names(assistant)
    return RunRequest(
        assistant=assistant,
        messages=transcript.messages(
            items,
            lambda server, name: names.get((server, name), f"{server}__{name}"),
            instructions=asked.instructions,
        ),
        parameters=asked.sampling,
        client_tools=[tool.definition for tool in asked.tools or ()],
        tool_choice=_tool_choice(asked, assistant),
    )


def _public_names(assistant: AssistantEntry) -> dict[tuple[str, str], str]:
    return {(function.server_slug, function.name): function.public_name for function in assistant.functions}


def _tool_choice(asked: ResponseRequest, assistant: AssistantEntry) -> str | dict[str, Any] | None:
    match asked.tool_choice:
        case FunctionChoice(name=name):
            return {"type": "function", "function": {"name": name}}
        case ServerToolChoice() as choice:
            name = _public_names(assistant)[choice.server_label, choice.name]
            return {"type": "function", "function": {"name": name}}
        case mode:
            return mode


def _check_names(asked: ResponseRequest, assistant: AssistantEntry) -> None:
    """The caller's tools share the model's namespace with the assistant's own."""
    theirs: set[str] = set()
    for index, tool in enumerate(asked.tools or ()):
        if tool.name in assistant.by_name or tool.name in theirs:
            message = f"There is already a tool with the name '{tool.name}': choose another."
            raise InvalidRequest(message, param=f"tools[{index}].name", code="tool_name_conflict")
        theirs.add(str(tool.name))
    match asked.tool_choice:
        case FunctionChoice(name=name):
            is_known = name in theirs or name in assistant.by_name
        case ServerToolChoice(server_label=label, name=name):
            is_known = (label, name) in _public_names(assistant)
        case _:
            is_known = True
    if not is_known:
        message = "The tool of 'tool_choice' is neither among 'tools' nor one of the assistant's."
        raise InvalidRequest(message, param="tool_choice.name", code="invalid_value")


def _untold(items: Items, assistant: AssistantEntry) -> list[dict[str, Any]]:
    """The servers' tools, but for those that the conversation lists already as they are now.

    None of more than a model could be given: it is not, for its assistant selects.
    """
    if assistant.selection != "all" and len(assistant.functions) > MOST_TOOLS:
        return []
    told = {item["server_label"]: item["tools"] for item in items if item["type"] == "mcp_list_tools"}
    lists: dict[str, list[dict[str, Any]]] = {server.slug: [] for server in assistant.servers}
    for function in assistant.functions:
        tool = {
            "name": function.name,
            "description": function.description,
            "input_schema": function.input_schema,
        }
        lists[function.server_slug].append(tool)
    return [
        {"server_label": slug, "tools": tools} for slug, tools in lists.items() if told.get(slug) != tools
    ]
