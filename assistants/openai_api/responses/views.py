"""/responses: creates, reads, cancels and deletes responses."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.exceptions import APIException

from apikeys import limits
from assistants.agent import count_input
from assistants.models import StoredResponse
from assistants.openai_api import body, errors, query
from assistants.openai_api.http import EventStream, event_stream, json_response
from assistants.openai_api.idempotency import idempotent_request
from assistants.openai_api.pipeline import Observer
from assistants.openai_api.responses import background, openapi, store
from assistants.openai_api.responses.ids import Ids
from assistants.openai_api.responses.prepare import Caller, PreparedResponse, prepare
from assistants.openai_api.responses.request import ResponseRequest, validate
from assistants.openai_api.responses.stream import ResponseStream
from assistants.openai_api.session import end_user, session_id
from assistants.openai_api.sse import stream
from assistants.openai_api.viewset import OpenAIViewSet
from core.errors import InvalidRequest

_LONGEST_PAGE, _PAGE = 100, 20


class ResponseNotFound(APIException):
    """404: no response has this id, it was deleted or has expired, or it belongs to another key."""

    status_code = 404
    default_code = "response_not_found"

    def __init__(self, response_id: str) -> None:
        super().__init__(f"Response with id '{response_id[:80]}' not found.")


class ResponseViewSet(OpenAIViewSet):
    @openapi.create_response
    async def create(self, request: HttpRequest) -> HttpResponseBase:
        content, params = await body.read(request, validate)
        prepared = await prepare(params, self.principal, ids=Ids(), caller=_caller(request, params))
        make = _enqueue if params.background else _answer
        idempotent = await idempotent_request(
            request, content, self.principal, prepared.run_request.assistant
        )
        if idempotent is None:
            return await make(prepared, content)
        if params.background:
            # No run passes by the observer: a worker will have one. What is enqueued must not be enqueued
            # again.
            idempotent.ran_tool = idempotent.is_complete = True
        return await idempotent.answer_or_replay(lambda: make(prepared, content, idempotent))


class InputTokensViewSet(OpenAIViewSet):
    @openapi.count_input_tokens
    async def create(self, request: HttpRequest) -> HttpResponse:
        _, params = await body.read(request, validate)
        prepared = await prepare(params, self.principal, ids=Ids(), caller=_caller(request, params))
        tokens = await count_input(await prepared.complete_request())
        return json_response({"object": "response.input_tokens", "input_tokens": tokens})


class StoredResponseViewSet(OpenAIViewSet):
    is_counted = False

    @openapi.retrieve_response
    async def retrieve(self, request: HttpRequest, response_id: str) -> HttpResponseBase:
        row = await self._row(response_id)
        if query.choice(request, "stream", ("false", "true")) == "false":
            return json_response(row.resource)
        if not row.is_background:
            message = "Only the stream of a response in the background can be resumed."
            raise InvalidRequest(message, param="stream", code="invalid_value")
        after = query.number(request, "starting_after", default=-1)
        events = background.events(row, self.principal, after=after, heartbeat_s=settings.STREAM_HEARTBEAT_S)
        return await event_stream(events)

    @openapi.delete_response
    async def destroy(self, _: HttpRequest, response_id: str) -> HttpResponse:
        if not await store.delete(self.principal.id, response_id):
            raise ResponseNotFound(response_id)
        return json_response({"id": response_id, "object": "response", "deleted": True})

    @openapi.list_input_items
    async def input_items(self, request: HttpRequest, response_id: str) -> HttpResponse:
        row = await self._row(response_id)
        is_ascending = query.choice(request, "order", ("desc", "asc")) == "asc"
        limit = query.number(request, "limit", default=_PAGE, least=1, most=_LONGEST_PAGE)
        items = row.input if is_ascending else row.input[::-1]
        return json_response(store.page(items, after=request.GET.get("after"), limit=limit))

    @openapi.cancel_response
    async def cancel(self, _: HttpRequest, response_id: str) -> HttpResponse:
        row = await self._row(response_id)
        if not row.is_background:
            message = "Only a response in the background can be cancelled. Close the connection of another."
            raise InvalidRequest(message, code="invalid_value")
        await background.cancel(row)
        return json_response((await self._row(response_id)).resource)

    async def _row(self, response_id: str) -> StoredResponse:
        row = await store.find(self.principal.id, response_id)
        if row is None:
            raise ResponseNotFound(response_id)
        return row


def _caller(request: HttpRequest, params: ResponseRequest) -> Caller:
    return Caller(
        request.META.get("HTTP_X_REQUEST_ID", ""), session_id(request, params), end_user(request, params)
    )


async def _enqueue(
    prepared: PreparedResponse, content: Mapping[str, Any], *_: Observer
) -> HttpResponse | EventStream:
    await limits.current().give_back()  # before a worker asks for a permit
    row = await background.enqueue(prepared, content)
    if prepared.params.stream:
        heartbeat_s = settings.STREAM_HEARTBEAT_S
        return await event_stream(background.events(row, prepared.principal, heartbeat_s=heartbeat_s))
    return json_response(row.resource)


async def _answer(
    prepared: PreparedResponse, _: Mapping[str, Any], *observers: Observer
) -> HttpResponse | EventStream:
    run = await prepared.start(*observers)
    if prepared.params.stream:
        renderer = ResponseStream(prepared, lambda: _save(prepared))
        return await event_stream(stream(run, renderer, heartbeat_s=settings.STREAM_HEARTBEAT_S))
    try:
        async with aclosing(run) as events:
            prepared.begin()
            async for event in events:
                prepared.answer.render(event)
    except Exception as error:  # noqa: BLE001 - rendered, and logged there; only here it is known what ran
        return errors.response(error, tool_ran=prepared.answer.ran_tools)
    await _save(prepared)
    return json_response(prepared.answer.body)


async def _save(prepared: PreparedResponse) -> None:
    if prepared.params.is_stored:
        await store.save(store.new_row(prepared.principal.id, prepared.answer.body, prepared.input))
