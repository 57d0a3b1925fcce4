"""Views of endpoints, by themselves."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from apikeys.principal import Principal
from assistants.openai_api import viewset
from tests.garbage import no_cycles

CALLER = Principal(7, "key", "", False, True, False, None)


class Echo(viewset.EndpointViewSet):
    is_counted = False

    async def create(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.body)


async def test_a_request_and_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    async def caller(request: HttpRequest) -> Principal:
        return CALLER

    monkeypatch.setattr(viewset, "_caller", caller)
    view = Echo.as_view({"post": "create"})
    with no_cycles("django.core.handlers", "django.http", __name__):
        response = await view(RequestFactory().post("/", b"{}", content_type="application/json"))
        assert response.content == b"{}"
        del response
