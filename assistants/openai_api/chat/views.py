"""Chat Completions and Models: an assistant's slug is the `model`."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from assistants import catalogue, routing
from assistants.agent import RunRequest
from assistants.catalogue.entries import AssistantEntry
from assistants.conversations import hidden_rounds, stored_history
from assistants.events import Event
from assistants.openai_api import body, errors
from assistants.openai_api.chat import conversation, message_order, openapi, response_format
from assistants.openai_api.chat import request as wire
from assistants.openai_api.chat.conversation import Messages
from assistants.openai_api.chat.render import Chunks, Completion
from assistants.openai_api.chat.request import ChatCompletionRequest, NamedChoice
from assistants.openai_api.chat.stream import stream
from assistants.openai_api.chat.tool_call_rendering import chosen, rendered
from assistants.openai_api.http import EventStream, event_stream, json_response
from assistants.openai_api.idempotency import once
from assistants.openai_api.limits import limited
from assistants.openai_api.session import session_id
from assistants.openai_api.viewset import OpenAIViewSet
from assistants.recording import Origin, recorded
from core.errors import InvalidRequest


class ChatCompletionViewSet(OpenAIViewSet):
    @openapi.create_completion
    async def create(self, request: HttpRequest) -> HttpResponseBase:
        content = body.read(request)
        asked = wire.validate(content)
        if not conversation.is_stored(asked):
            message_order.check(asked.messages)
        response_format.check(asked.response_format)
        origin = Origin(self.principal, request.headers.get("x-request-id", ""), session_id(request, asked))
        said = await conversation.said(content, asked, origin)
        route = await routing.route(asked.model, self.principal, said, origin.session_id)
        messages = await conversation.whole(said, origin, route.assistant)
        run = _run(_run_request(asked, messages, route.assistant), asked, content["messages"], origin)
        about = {**origin.ids, **route.extension}
        if attempt := once(request, content, self.principal, route.assistant):
            return await attempt.answered(lambda: _answer(asked, attempt.watched(run), route.model, about))
        return await _answer(asked, run, route.model, about)


class ModelViewSet(OpenAIViewSet):
    is_counted = False

    @openapi.list_models
    async def list(self, _: HttpRequest) -> HttpResponse:
        entries = await catalogue.callable_by(self.principal)
        models = [_auto(entries)] if len(entries) > 1 else []
        return json_response({"object": "list", "data": [*models, *map(_model, entries)]})

    @openapi.retrieve_model
    async def retrieve(self, _: HttpRequest, model: str) -> HttpResponse:
        if model == routing.AUTO and (entries := await catalogue.callable_by(self.principal)):
            return json_response(_auto(entries))
        return json_response(_model(await catalogue.find(model, self.principal)))


async def unknown_url(_: HttpRequest, **__: str) -> HttpResponse:
    return errors.response(errors.UnknownURL())


def _run(
    request: RunRequest, asked: ChatCompletionRequest, messages: Messages, origin: Origin
) -> AsyncGenerator[Event, None]:
    """The run, within limits, on the record, and with what else is to be kept and shown of it."""
    run = limited(recorded(request, origin), origin.principal)
    if request.client_tools:
        run = hidden_rounds.keeping(run, origin.principal, request.assistant)
    if conversation.is_stored(asked) and origin.session_id:
        run = stored_history.storing(
            run, messages, api_key_id=origin.principal.id, session_id=origin.session_id
        )
    wish = asked.mcp_connector.render if asked.mcp_connector else None
    kind = chosen(wish, request.assistant.rendering, request.parameters.get("response_format"))
    return run if kind == "none" else rendered(run, kind)


async def _answer(
    asked: ChatCompletionRequest, run: AsyncGenerator[Event, None], model: str, about: Mapping[str, Any]
) -> HttpResponse | EventStream:
    if not asked.stream:
        return await _completion(run, Completion(model, about))
    include_usage = bool(asked.stream_options and asked.stream_options.include_usage)
    chunks = Chunks(model, include_usage=include_usage, about=about)
    return await event_stream(stream(run, chunks, heartbeat_s=settings.STREAM_HEARTBEAT_S))


async def _completion(run: AsyncGenerator[Event, None], completion: Completion) -> HttpResponse:
    try:
        async with aclosing(run) as events:
            async for event in events:
                completion.add(event)
    except Exception as error:  # noqa: BLE001 - rendered, and logged there; only here it is known what ran
        return errors.response(error, tool_ran=completion.ran_tools)
    return json_response(completion.body())


def _run_request(asked: ChatCompletionRequest, messages: Messages, assistant: AssistantEntry) -> RunRequest:
    """`messages` as they were sent: what `asked` holds of them is only their validated part."""
    definitions = asked.tool_definitions
    _check_names(asked, definitions, assistant)
    choice = asked.tool_choice
    return RunRequest(
        assistant=assistant,
        messages=messages,
        parameters=asked.sampling,
        client_tools=definitions,
        tool_choice=choice.model_dump() if isinstance(choice, NamedChoice) else choice,
    )


def _check_names(
    asked: ChatCompletionRequest, definitions: Sequence[Mapping[str, Any]], assistant: AssistantEntry
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
    choice = asked.tool_choice
    if isinstance(choice, NamedChoice) and choice.function.name not in theirs | assistant.by_name.keys():
        message = "The tool of 'tool_choice' is neither among 'tools' nor one of the assistant's."
        param = "tool_choice.function.name"
        raise InvalidRequest(message, param=param, code="invalid_value")


def _model(entry: AssistantEntry) -> dict[str, Any]:
    return _resource(entry.slug, entry.created)


def _auto(entries: Sequence[AssistantEntry]) -> dict[str, Any]:
    """The choice among these."""
    return _resource(routing.AUTO, max(entry.created for entry in entries))


def _resource(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "mcp-connector"}
