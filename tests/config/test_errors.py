import json

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.test import Client, RequestFactory
from rest_framework import exceptions

from apikeys.errors import InvalidApiKey
from config.errors import exception_handler, not_found


def render(error: Exception) -> tuple[int, dict[str, object]]:
    response = exception_handler(error, {})
    return response.status_code, response.data


def test_every_error_has_the_envelope() -> None:
    status, body = render(InvalidApiKey("The API key is disabled."))
    assert status == 401
    assert body["success"] is False
    assert body["timestamp"].endswith("Z")
    assert body["error"] | {"details": None} == {
        "code": "HTTP_ERROR",
        "type": "invalid_api_key",
        "message": "The API key is disabled.",
        "status_code": 401,
        "details": None,
    }


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ValidationError({"name": ["Too long."], "env": {"A": ["Not a string."]}}),
        ValidationError({"name": ["Too long."], "env": ["A: Not a string."]}),
    ],
)
def test_a_validation_error_has_one_entry_a_field(error: Exception) -> None:
    status, body = render(error)
    assert (status, body["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert body["error"]["details"]["fields"] == {"name": ["Too long."], "env": ["A: Not a string."]}


def test_an_unexpected_error_leaks_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    status, body = render(RuntimeError("canary-5f1c"))
    assert (status, body["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "canary" not in json.dumps(body)
    assert "canary" in caplog.text


def test_a_database_that_fails_is_a_503() -> None:
    status, body = render(OperationalError("canary-5f1c"))
    assert (status, body["error"]["type"]) == (503, "database_unavailable")
    assert "canary" not in json.dumps(body)


def test_an_unknown_path_has_the_envelope() -> None:
    response = not_found(RequestFactory().get("/api/v1/nothing"))
    assert response.status_code == 404
    assert json.loads(response.content)["error"]["type"] == "not_found"


@pytest.mark.django_db
def test_an_unknown_path_is_found_to_be_unknown(client: Client) -> None:
    response = client.get("/api/v1/nothing")
    assert (response.status_code, response.json()["success"]) == (404, False)
