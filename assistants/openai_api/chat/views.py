"""/chat/completions: an assistant's slug is the `model`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from assistants.events import Event
from assistants.openai_api import body, errors
from assistants.openai_api.chat import openapi
from assistants.openai_api.chat.prepare import PreparedChat, prepare
from assistants.openai_api.chat.render import Chunks, Completion
from assistants.openai_api.chat.request import validate
from assistants.openai_api.http import EventStream, event_stream, json_response
from assistants.openai_api.idempotency import idempotent_request
from assistants.openai_api.pipeline import Observer, observed_run
from assistants.openai_api.session import end_user, session_id
from assistants.openai_api.sse import stream
from assistants.openai_api.viewset import OpenAIViewSet
from assistants.recording import Origin


class ChatCompletionViewSet(OpenAIViewSet):
    @openapi.create_completion
    async def create(self, request: HttpRequest) -> HttpResponseBase:
        content, params = await body.read(request, validate)
        origin = Origin(
            self.principal,
            request.META.get("HTTP_X_REQUEST_ID", ""),
            session_id(request, params),
            end_user=end_user(request, params),
        )
        chat = await prepare(content, params, origin)
        idempotent = await idempotent_request(request, content, self.principal, chat.run_request.assistant)
        if idempotent is None:
            return await _answer(chat)
        return await idempotent.answer_or_replay(lambda: _answer(chat, idempotent))


async def _answer(chat: PreparedChat, *more_observers: Observer) -> HttpResponse | EventStream:
    run = observed_run(chat.run_request, chat.origin, [*chat.observers, *more_observers])
    if not chat.params.stream:
        return await _completion(run, Completion(chat.model, chat.extension, chat.rendering))
    include_usage = bool(chat.params.stream_options and chat.params.stream_options.include_usage)
    chunks = Chunks(chat.model, chat.extension, chat.rendering, include_usage=include_usage)
    return await event_stream(stream(run, chunks, heartbeat_s=settings.STREAM_HEARTBEAT_S))


async def _completion(run: AsyncGenerator[Event, None], completion: Completion) -> HttpResponse:
    try:
        async with aclosing(run) as events:
            async for event in events:
                completion.add(event)
    except Exception as error:  # noqa: BLE001 - rendered, and logged there; only here it is known what ran
        return errors.response(error, tool_ran=completion.ran_tools)
    return json_response(completion.body())
