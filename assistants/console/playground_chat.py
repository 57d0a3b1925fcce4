"""Answers the playground: a run of the signed-in user, streamed, of which no text is kept unless asked.

The view is async, and no database connection is held while the model works: those that authenticate the
user and load the assistant are returned before the run begins.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponseBase
from pydantic import Field, ValidationError
from rest_framework.exceptions import NotAuthenticated, PermissionDenied

from apikeys import limits
from apikeys.principal import Limits, Principal
from assistants import catalogue
from assistants.agent import RunRequest, continuing
from assistants.approvals import holds
from assistants.catalogue import AssistantEntry
from assistants.console.advice import advice
from assistants.console.playground_events import PlaygroundEvents, failure
from assistants.openai_api import body, errors
from assistants.openai_api.http import event_stream, json_response
from assistants.openai_api.messages import Schema
from assistants.openai_api.pipeline import observed_run
from assistants.openai_api.sse import stream
from assistants.openai_api.validation import invalid
from assistants.recording import Origin
from core.database import in_thread

PERMISSION = "assistants.chat_assistant"
_MOST_MESSAGES = 500


class PlaygroundMessage(Schema):
    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class PlaygroundRequest(Schema):
    """`assistant`: its slug. `store`: whether the texts of this run are kept."""

    assistant: str
    messages: Annotated[list[PlaygroundMessage], Field(min_length=1, max_length=_MOST_MESSAGES)]
    store: bool = False


def validate(content: Mapping[str, Any]) -> PlaygroundRequest:
    """Raises InvalidRequest, whose `param` names the field."""
    try:
        return PlaygroundRequest.model_validate(content)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)[0], content) from None


async def chat(request: HttpRequest) -> HttpResponseBase:
    """Answers with the events of a run (see PlaygroundEvents), or with one error as JSON.

    Closing the connection cancels the run. Django's middleware has checked the CSRF token.
    """
    try:
        if request.method != "POST":
            raise errors.MethodNotAllowed("POST")
        return await _answer(request)
    except Exception as error:  # noqa: BLE001 - the boundary: rendered, and logged there
        response = errors.response(error)
        told = failure(error)
        headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
        return json_response({"error": told}, status=response.status_code, headers=headers)


async def _answer(request: HttpRequest) -> HttpResponseBase:
    principal = await _principal(request)
    _, asked = await body.read(request, validate)
    async with limits.current().admitted(principal):
        return await _run(request, principal, asked)


async def _run(request: HttpRequest, principal: Principal, asked: PlaygroundRequest) -> HttpResponseBase:
    entry = await catalogue.enabled(asked.assistant)
    origin = Origin(principal, request.headers.get("x-request-id", ""))
    messages = [message.model_dump() for message in asked.messages]
    hold_s = holds.of(is_streamed=True)
    continued = await continuing.continued(messages, origin.asker(entry), wait_s=holds.OUTCOMES_S)
    run_request = RunRequest(
        _keeping(entry, is_stored=asked.store), continued.messages, continued=continued, hold_s=hold_s
    )
    run = observed_run(run_request, origin)
    rendered = PlaygroundEvents(origin.run_id, entry.endpoint.model)
    return await event_stream(stream(run, rendered, heartbeat_s=settings.STREAM_HEARTBEAT_S))


@in_thread
def _principal(request: HttpRequest) -> Principal:
    """Returns the signed-in user as a caller. Raises NotAuthenticated and PermissionDenied."""
    user: Any = get_user(request)
    if not (user.is_active and user.is_staff):
        raise NotAuthenticated(advice("not_authenticated"))
    if not user.has_perm(PERMISSION):
        raise PermissionDenied(advice("permission_denied"))
    return Principal.of_user(
        user.pk,
        user.get_username(),
        PERMISSION,
        Limits(
            requests_per_minute=settings.PLAYGROUND_REQUESTS_PER_MINUTE,
            concurrent_requests=settings.PLAYGROUND_CONCURRENT_REQUESTS,
        ),
    )


def _keeping(entry: AssistantEntry, *, is_stored: bool) -> AssistantEntry:
    """Returns the assistant with texts kept or not, whatever it says itself. Unkept texts teach nothing."""
    learns = entry.learns and is_stored
    if (entry.store_bodies, entry.learns) == (is_stored, learns):
        return entry
    return replace(entry, store_bodies=is_stored, learns=learns)
