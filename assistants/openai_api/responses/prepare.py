"""From a response's request to a run that can start, in a web process or in a worker."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apikeys.authentication import Principal
from assistants import routing
from assistants.agent import RunRequest, continuing
from assistants.approvals import holds, sentences
from assistants.approvals.decisions import Item
from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import hidden_rounds, images
from assistants.conversations.hidden_rounds import HiddenRoundsSaver
from assistants.events import Event
from assistants.openai_api.pipeline import Observer, observed_run
from assistants.openai_api.responses import (
    approval_items,
    approval_terms,
    context,
    left_out,
    tool_choices,
    tools,
    transcript,
)
from assistants.openai_api.responses.answer import Answer
from assistants.openai_api.responses.held_runs import HeldRun
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.output import ResponseEvent
from assistants.openai_api.responses.past import past_of
from assistants.openai_api.responses.request import ResponseRequest
from assistants.openai_api.responses.resource import new_resource
from assistants.openai_api.responses.tools import OfferedTools
from assistants.openai_api.responses.transcript import Items
from assistants.openai_api.validation import MOST_TOOLS
from assistants.recording import Origin
from assistants.recording.records import new_run_id
from core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Caller:
    """What the HTTP request says of its origin. It is stored for a response in the background."""

    request_id: str = ""
    session_id: str | None = None
    end_user: str = ""


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
    approvals: Sequence[tuple[int, Item]] = ()

    async def start(self, *observers: Observer) -> AsyncGenerator[Event, None]:
        """Returns the run. Raises InvalidRequest if an image of the request cannot be fetched, or an approval
        item belongs to no call that waits.
        """
        request = await self.complete_request(self.approvals, wait_s=holds.OUTCOMES_S)
        if request.client_tools:
            observers = (HiddenRoundsSaver(self.principal, request.assistant), *observers)
        return observed_run(request, self.origin, observers)

    async def complete_request(
        self, approvals: Sequence[tuple[int, Item]] = (), *, wait_s: float = 0.0
    ) -> RunRequest:
        """Returns the request for the run, with images fetched, and hidden and held rounds put back.

        `approvals`: the items that decide about calls. `wait_s`: how long it waits for calls that were agreed
        to; without it they count as waiting.
        """
        request = self.run_request
        continued = await continuing.continued(
            request.messages,
            self.origin.asker(request.assistant),
            wait_s=wait_s,
            items=approvals,
            are_rounds_visible=True,
        )
        request = replace(request, messages=continued.messages, continued=continued)
        messages = await _with_images(request, self.params)
        messages = await hidden_rounds.restored(
            messages, self.principal, request.assistant, are_rounds_visible=True
        )
        return replace(request, messages=messages)

    def resumed(self, body: Mapping[str, Any], held: HeldRun) -> "PreparedResponse":
        """Returns the request for the run that goes on with an answer that waited: with its rounds, on the
        record as a run of its own. What the request decided has been decided before.
        """
        self.answer.resume(body, held.open_calls)
        return replace(
            self,
            run_request=replace(self.run_request, messages=[*self.run_request.messages, *held.marks]),
            origin=replace(self.origin, run_id=new_run_id()),
            approvals=(),
        )

    def begin(self) -> list[ResponseEvent]:
        return self.answer.begin(self.tool_lists)


async def prepare(
    params: ResponseRequest,
    principal: Principal,
    *,
    ids: Ids,
    caller: Caller,
    first_number: int = 0,
) -> PreparedResponse:
    """Raises InvalidRequest, ModelNotFound and NoAssistantFits."""
    own = sentences.without_codes_in(transcript.stored_items(params.input, ids))
    before, items = await context.resolve(params, own, principal)
    session_id = params.conversation_id or caller.session_id
    said = sentences.cut_from_all([*before, *items])
    route = await routing.route(params.model, principal, said, session_id)
    assistant = route.assistant
    offered = _offered_tools(params, [*before, *items], assistant)
    body = new_resource(params, model=route.model, response_id=ids.response, created_at=int(time.time()))
    run_request = _run_request(params, [*before, *items], assistant, offered)
    labels = {function.public_name: function.server_slug for function in assistant.functions}
    return PreparedResponse(
        params=params,
        principal=principal,
        input=items,
        answer=Answer(
            body,
            server_labels=labels,
            client_tools=offered.by_name,
            shows_server_tools=params.shows_server_tools,
            first_number=first_number,
            approval_ids=approval_items.ids_by_number([*before, *items]),
            extension={**route.extension, **left_out.extension(params)},
        ),
        tool_lists=[]
        if params.tool_choice == "none"
        else _new_tool_lists([*before, *items], run_request.narrowed_assistant),
        run_request=replace(run_request, past=past_of(params, before, items, run_request.messages, ids)),
        origin=Origin(principal, caller.request_id, session_id, ids.run, caller.end_user),
        approvals=approval_items.decisions(items),
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


def _offered_tools(params: ResponseRequest, items: Items, assistant: AssistantEntry) -> OfferedTools:
    """Returns the caller's tools: those of the request, and those that items of the conversation added."""
    brought = [(f"tools[{index}]", tool) for index, tool in enumerate(params.tools or ())]
    added = [
        ("input", tool)
        for item in items
        if item["type"] == "additional_tools"
        for tool in tools.from_stored(item["tools"])
    ]
    return tools.offered(brought, added, assistant.by_name.keys())


def _run_request(
    params: ResponseRequest, items: Items, assistant: AssistantEntry, offered: OfferedTools
) -> RunRequest:
    choice = tool_choices.resolved(params.tool_choice, assistant, offered)
    names = tool_choices.public_names(assistant)
    return RunRequest(
        assistant=assistant,
        messages=transcript.messages(
            items,
            lambda server, name: names.get((server, name), f"{server}__{name}"),
            lambda name, namespace: offered.names.get((name, namespace), name),
            instructions=params.instructions,
        ),
        parameters=params.sampling,
        client_tools=offered.definitions,
        tool_choice=choice.tool_choice,
        allowed=choice.allowed,
        max_server_calls=params.max_tool_calls,
        hold_s=0.0 if params.background else holds.of(is_streamed=bool(params.stream)),
        shows_approvals=True,
        is_resumable=bool(params.background),
        requirement=approval_terms.requirement(params.tools or (), assistant),
    )


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
