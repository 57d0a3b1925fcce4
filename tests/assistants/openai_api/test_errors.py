import json
from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse

from apikeys.errors import CallingRequired, InvalidApiKey
from assistants.errors import InvalidMessages, ModelNotFound, UpstreamFailed
from assistants.openai_api import errors
from assistants.openai_api.errors import MethodNotAllowed, UnknownURL
from core.errors import InvalidRequest


def error_in(response: HttpResponse) -> dict[str, Any]:
    (error,) = json.loads(response.content).values()
    assert list(error) == ["message", "type", "param", "code"]
    return dict(error)


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (InvalidApiKey("No key."), 401, ("invalid_request_error", None, "invalid_api_key")),
        (CallingRequired(), 403, ("permission_error", None, "calling_required")),
        (ModelNotFound(), 404, ("invalid_request_error", "model", "model_not_found")),
        (UnknownURL("/v1/nothing"), 404, ("invalid_request_error", None, "unknown_url")),
        (MethodNotAllowed("POST"), 405, ("invalid_request_error", None, "method_not_allowed")),
        (InvalidMessages("Ends in calls."), 400, ("invalid_request_error", "messages", "invalid_messages")),
        (InvalidRequest("No.", param="n", code="x"), 400, ("invalid_request_error", "n", "x")),
        (
            UpstreamFailed("upstream_rate_limited", "Later."),
            429,
            ("rate_limit_error", None, "upstream_rate_limited"),
        ),
        (UpstreamFailed("overloaded", "Busy."), 503, ("server_error", None, "overloaded")),
        (OperationalError("server closed"), 503, ("server_error", None, "database_unavailable")),
        (ZeroDivisionError("secret"), 500, ("server_error", None, "internal_error")),
    ],
)
def test_every_failure_has_its_envelope(
    error: Exception, status: int, expected: tuple[str, str | None, str]
) -> None:
    response = errors.response(error)
    error = error_in(response)
    assert response.status_code == status
    assert (error["type"], error["param"], error["code"]) == expected
    assert error["message"]
    assert response.headers["cache-control"] == "no-store"


def test_an_unexpected_failure_is_logged_and_not_revealed(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("the password is 1234")
    except ValueError as error:
        response = errors.response(error)
    assert "1234" not in response.content.decode()
    assert "Traceback" in caplog.text


def test_a_database_failure_reveals_nothing_of_the_database() -> None:
    assert "10.0.0.7" not in errors.response(OperationalError("no route to 10.0.0.7")).content.decode()


def test_a_refused_key_is_answered_with_www_authenticate() -> None:
    assert errors.response(InvalidApiKey("No key.")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("seconds", "header"), [(30, "30"), (0.2, "1"), (None, None)])
def test_retry_after_is_passed_on(seconds: float | None, header: str | None) -> None:
    failure = UpstreamFailed("upstream_rate_limited", "Later.", retry_after=seconds)
    assert errors.response(failure).headers.get("retry-after") == header


def test_only_after_a_tool_ran_nobody_should_retry() -> None:
    failure = UpstreamFailed("upstream_error", "It broke.")
    assert "x-should-retry" not in errors.response(failure).headers
    assert errors.response(failure, tool_ran=True).headers["x-should-retry"] == "false"


def test_what_was_sent_is_not_repeated_at_length() -> None:
    error = error_in(errors.response(InvalidRequest("x" * 9_999, param="y" * 9_999, code="z")))
    assert len(error["message"]) == 1_000
    assert len(error["param"]) == 200
