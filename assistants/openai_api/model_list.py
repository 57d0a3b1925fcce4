"""/models: the assistants that a key may call."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from assistants import catalogue, routing
from assistants.catalogue.entries import AssistantEntry
from assistants.openai_api import errors, openapi
from assistants.openai_api.http import json_response
from assistants.openai_api.viewset import OpenAIViewSet


class ModelViewSet(OpenAIViewSet):
    is_counted = False

    @openapi.list_models
    async def list(self, _: HttpRequest) -> HttpResponse:
        entries = await catalogue.callable_by(self.principal)
        models = [_auto(entries)] if len(entries) > 1 else []
        return json_response({"object": "list", "data": [*models, *map(_model, entries)]})

    @openapi.retrieve_model
    async def retrieve(self, request: HttpRequest, model: str) -> HttpResponse:
        if model.endswith("/"):  # the route takes slashes, because names may hold them, but none ends in one
            raise errors.UnknownURL(request.path)
        if model == routing.AUTO and (entries := await catalogue.callable_by(self.principal)):
            return json_response(_auto(entries))
        return json_response(_model(await catalogue.find(model, self.principal)))


def _model(entry: AssistantEntry) -> dict[str, Any]:
    return _resource(entry.slug, entry.created)


def _auto(entries: Sequence[AssistantEntry]) -> dict[str, Any]:
    """Returns the model `auto`, which routes to one of these assistants."""
    return _resource(routing.AUTO, max(entry.created for entry in entries))


def _resource(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": "mcp-connector"}
