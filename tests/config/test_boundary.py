"""Requests that no view answers: each has an envelope, that of the API it was meant for, and a request id."""

import logging
import shutil
from typing import Any

import pytest
from django.conf import settings
from starlette.types import Receive, Scope, Send

from config.boundary import ErrorBoundary
from tests.config.asgi import Answer, ask

FIELDS = b"&".join(b"a%d=1" % number for number in range(1_001))
FOREIGN = [(b"host", b"evil.example")]
DENIABLE = {"extensions": {"websocket.http.response": {}}, "subprotocols": []}
API = "/api/v1/mcp-tools"


@pytest.fixture(autouse=True)
def no_static_files() -> None:
    """As in an installation where `collectstatic` never ran."""
    shutil.rmtree(settings.STATIC_ROOT, ignore_errors=True)


async def test_no_handler_fails_on_them(caplog: pytest.LogCaptureFixture) -> None:
    for path, scope in REQUESTS:
        assert (await ask(path, **scope)).status < 500, (path, scope)
    assert "Traceback" not in caplog.text


PATHS = [
    *("/v1/" + "a" * 10_000, "/api/v1/" + "a" * 10_000, "/static/" + "a" * 10_000, "/admin/" + "a" * 10_000),
    *("/v1/\0", "/api/v1/\0", "/static/\0", "/admin/\0", "/v1/\ufffd", "/static/\ufffd.css", "*", "/", ""),
    *("/static/nothing.css", "/static/", "/static/../../etc/passwd", "/static/admin", "/static//etc/passwd"),
]
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    *((path, {}) for path in PATHS),
    *(
        (path, {"query_string": FIELDS})
        for path in ("/v1/models", API, "/v1/responses/r", "/health", "/nothing")
    ),
    *((path, {"query_string": b"a=\xff"}) for path in ("/v1/models", API, "/admin/login/", "/health")),
    *((path, {"query_string": b"a=%ff&%00=%00"}) for path in ("/v1/models", API, "/health")),
    *((path, {"query_string": b"x" * 60_000}) for path in ("/v1/models", API, "/health")),
    *(
        (path, {"headers": FOREIGN})
        for path in ("/v1/models", API, "/", "/admin/", "/api/docs", "/chat/completions")
    ),
    *((path, {"headers": [(b"host", b"a_b!:x")]}) for path in ("/v1/models", API, "/", "/models")),
    *(
        (path, {"method": method})
        for path in ("/v1/models", API, "/static/x")
        for method in ("BREW", "TRACE", "HEAD")
    ),
    *(
        (path, {"kind": "websocket", **DENIABLE})
        for path in ("/", "/v1/realtime", API, "/static/x", "/admin/")
    ),
]


@pytest.mark.parametrize(("path", "is_openais"), [("/v1/models", True), (API, False), ("/models", True)])
@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"query_string": b"a=\xff"}, 400),
        ({"kind": "websocket", **DENIABLE}, 400),
        ({"headers": [(b"content-length", b"9" * 30)]}, 413),
    ],
)
async def test_the_envelope_is_the_one_of_the_path(
    path: str, is_openais: bool, scope: dict[str, Any], status: int
) -> None:
    answer = await ask(path, **scope)
    assert (answer.status, answer.is_openais) == (status, is_openais)


@pytest.mark.parametrize(
    ("path", "is_openais"), [(API, False), ("/api/docs", False), ("/api/nothing", False)]
)
async def test_a_foreign_host_is_told_so_in_json(path: str, is_openais: bool) -> None:
    answer = await ask(path, headers=FOREIGN)
    assert (answer.status, answer.is_openais) == (400, is_openais)
    assert answer.json["error"]["type"] == "disallowed_host"
    assert "ALLOWED_HOSTS" in answer.json["error"]["message"]


async def test_people_in_the_console_get_a_page() -> None:
    answer = await ask("/admin/", headers=FOREIGN)
    assert (answer.status, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")


async def test_too_many_parameters_are_refused() -> None:
    answer = await ask(API, query_string=FIELDS)
    assert (answer.status, answer.json["error"]["type"]) == (400, "too_many_parameters")


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/v1/models", "/openai/v1/responses", "/api/chat/completions"]
)
@pytest.mark.parametrize("headers", [[(b"host", b"localhost")], FOREIGN])
async def test_openais_clients_at_a_wrong_address_are_told_the_right_one(path: str, headers: Any) -> None:
    answer = await ask(path, headers=headers)
    assert (answer.status, answer.is_openais, answer.json["error"]["code"]) == (404, True, "unknown_url")
    assert (
        f"/v1/{path.rpartition('v1/')[2].removeprefix('/api').strip('/')}" in answer.json["error"]["message"]
    )


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/nothing", "/nothing"])
async def test_other_wrong_addresses_are_answered_by_the_management_api(path: str) -> None:
    answer = await ask(path)
    assert (answer.status, answer.is_openais, answer.json["error"]["type"]) == (404, False, "not_found")


async def through_boundary(app: Any, path: str) -> Answer:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise NotImplementedError

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await ErrorBoundary(app)(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, sent[1]["body"])


@pytest.mark.parametrize("path", ["/v1/models", API, "/static/x", "/admin/"])
async def test_what_a_handler_raises_is_logged_with_its_traceback(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("canary-5f1c")

    with caplog.at_level(logging.ERROR):
        answer = await through_boundary(failing, path)
    assert answer.status == 500
    assert b"canary" not in answer.body
    assert "Traceback" in caplog.text
    assert "canary-5f1c" in caplog.text


async def test_an_answer_that_has_begun_is_cut() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await through_boundary(failing, "/v1/models")
