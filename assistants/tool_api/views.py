"""POST /api/v1/assistants/{slug}/tools/{name}, and GET /api/v1/assistants/{slug}/openapi.json."""

from typing import Any, cast

import orjson
from django.http import HttpRequest, HttpResponse
from rest_framework.response import Response

from assistants import catalogue, tool_calls
from assistants.catalogue import AssistantEntry, FunctionEntry
from assistants.errors import ModelNotFound
from assistants.models import RunKind
from assistants.openai_api import body
from assistants.openai_api.http import json_response
from assistants.openai_api.viewset import EndpointViewSet
from assistants.tool_api import description, schema
from assistants.tool_api.errors import AssistantNotFound, ToolFailed, UnknownTool, of_failure
from assistants.tool_calls import Asked, NotCalled
from assistants.validation import end_user
from connector.client import outcomes
from connector.client.requests import InputRequired
from connector.errors import CallFailed, ServerError
from core.addresses import base_url
from tools.arguments import InvalidArguments

EDITED = "x-approval-edited"
"""The header of a result whose arguments a person has changed before they approved the call."""


class AssistantToolViewSet(EndpointViewSet):
    """For keys that may call assistants: the tools of one of them, without a model."""

    is_counted = False  # `tool_calls` counts calls, and the description is free

    @schema.call
    async def call(self, request: HttpRequest, slug: str, name: str) -> HttpResponse:
        assistant = await self._assistant(slug)
        function = _function(assistant, name)
        arguments, _ = await body.read(request, lambda content: content)
        asked = Asked(
            self.principal,
            request.META.get("HTTP_X_REQUEST_ID", ""),
            RunKind.REST,
            assistant,
            end_user=end_user(request.META.get("HTTP_X_END_USER", "")),
        )
        try:
            answer = await tool_calls.call(asked, function, arguments)
        except (InvalidArguments, NotCalled, CallFailed, ServerError) as failure:
            raise of_failure(failure, base_url(request)) from failure
        if isinstance(answer, InputRequired):
            raise ToolFailed("The tool asks for input from a person, which cannot be given here.")
        headers = {EDITED: "true"} if answer.note else {}
        return json_response(orjson.dumps(_result(answer.noted)), headers=headers)

    @schema.describe
    async def describe(self, request: HttpRequest, slug: str) -> HttpResponse:
        assistant = await self._assistant(slug)
        url = f"{base_url(request)}/api/v1/assistants/{assistant.slug}"
        return json_response(description.of(assistant, url))

    def failed(self, error: Exception) -> HttpResponse:
        answer = cast(Response, self.get_exception_handler()(error, {}))
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
        return json_response(answer.data, status=answer.status_code, headers=headers)

    async def _assistant(self, slug: str) -> AssistantEntry:
        try:
            return await catalogue.find(slug, self.principal)
        except ModelNotFound as error:
            raise AssistantNotFound from error


def _function(assistant: AssistantEntry, name: str) -> FunctionEntry:
    function = assistant.by_name.get(name)
    if function is None:
        raise UnknownTool
    return function


def _result(answer: dict[str, Any]) -> Any:
    """Returns the structured content, or without any the content. Raises ToolFailed."""
    if outcomes.code_of(answer):
        raise ToolFailed(outcomes.text_of(answer), answer.get("content"))
    structured = answer.get("structuredContent")
    return {"content": answer.get("content", [])} if structured is None else structured
