import asyncio
from typing import Any

import pytest
from django.test import Client

from config.application import create_application

pytestmark = pytest.mark.django_db
URL = "/api/v1/api-keys"
ORIGIN = "http://localhost:3000"
STAINLESS = [
    f"x-stainless-{name}"
    for name in (
        *("arch", "async", "custom-event-handler", "custom-poll-interval", "helper-method", "lang", "os"),
        *("package-version", "poll-helper", "raw-response", "read-timeout", "retry-count", "runtime"),
        *("runtime-version", "stream-helper", "timeout", "some-day-another"),
    )
]
SENT = [
    *STAINLESS,
    *("authorization", "content-type", "openai-organization", "openai-project", "openai-beta", "if-match"),
    *("idempotency-key", "x-session-id", "x-request-id", "x-litellm-session-id", "x-openwebui-chat-id"),
]


def preflight(
    client: Client, origin: str, url: str = URL, *, headers: str = "authorization"
) -> dict[str, str]:
    request = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }
    return dict(client.options(url, headers=request).headers)


def test_a_listed_origin_may_call_with_credentials(client: Client) -> None:
    headers = preflight(client, ORIGIN)
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize(
    "url", ["/v1/chat/completions", "/v1/responses", "/v1/models", URL, "/chat/completions"]
)
@pytest.mark.parametrize("written", [str.lower, str.title])
def test_every_header_that_an_sdk_sends_is_allowed(client: Client, url: str, written: Any) -> None:
    asked = written(",".join(SENT))
    allowed = preflight(client, ORIGIN, url, headers=asked)["access-control-allow-headers"].split(", ")
    assert set(SENT) <= {name.strip().lower() for names in allowed for name in names.split(",")}


def test_what_is_no_list_of_header_names_is_not_repeated(client: Client) -> None:
    assert "<" not in preflight(client, ORIGIN, headers="x-<script>")["access-control-allow-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3001"])
def test_another_origin_may_not(client: Client, origin: str) -> None:
    headers = preflight(client, origin, headers=",".join(STAINLESS))
    assert "access-control-allow-origin" not in headers
    assert "access-control-allow-headers" not in headers


def test_the_console_is_for_no_other_origin(client: Client) -> None:
    assert "access-control-allow-origin" not in preflight(client, ORIGIN, "/admin/login/")
    assert "access-control-allow-origin" not in preflight(client, ORIGIN, "/admin")


def test_browsers_may_read_what_the_apis_say_in_headers(client: Client) -> None:
    response = client.get(URL, headers={"Origin": ORIGIN})
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"x-request-id", "x-should-retry", "retry-after", "idempotent-replayed"}
    assert exposed >= {"etag", "link", "x-total-count", "allow", "www-authenticate"}
    limits = {
        f"x-ratelimit-{part}-{of}"
        for part in ("limit", "remaining", "reset")
        for of in ("requests", "tokens")
    }
    assert exposed >= limits
    assert response.headers["access-control-allow-origin"] != "*"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/v1/mcp-tools"])
async def test_a_page_may_read_why_a_request_was_refused_before_any_view(path: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"origin", ORIGIN.encode()), (b"content-length", b"99999999999")]
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "", "query_string": b""}
    await create_application()({**scope, "headers": headers}, asyncio.Event().wait, send)
    assert sent[0]["status"] == 413
    assert dict(sent[0]["headers"])[b"access-control-allow-origin"] == ORIGIN.encode()
