"""Images by address: fetched through the guard, bounded, and given to the model as bytes."""

import base64
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from apikeys.actions import IssuedKey
from assistants.conversations.images import MOST_BYTES, MOST_IMAGES
from config.runner.network import free_port
from tests.assistants.openai_api.conftest import error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, readiness, wait_for

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
Look = Callable[..., httpx.Response]


class Host(BaseHTTPRequestHandler):
    seen: list[str] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        status, headers, body = ANSWERS[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/png": (200, {"content-type": "text/plain"}, PNG),
    "/webp": (200, {}, b"RIFF\0\0\0\0WEBPVP8 "),
    "/page": (200, {"content-type": "image/png"}, b"<html>"),
    "/gone": (404, {}, b""),
    "/moved": (302, {"location": "/png"}, b""),
    "/metadata": (302, {"location": "http://169.254.169.254/latest"}, b""),
    "/round": (302, {"location": "/round"}, b""),
    "/large": (200, {}, PNG + b"\0" * MOST_BYTES),
}


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def url(stack: Stack, host: str) -> Iterator[str]:
    """A web process that may fetch from the host."""
    port = free_port()
    allowed = {"IMAGE_PRIVATE_HOSTS": host.removeprefix("http://")}
    running = stack.start_process("web-of-images", stack.web_command(port), **allowed)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=20)
    yield url
    running.stop(timeout_s=10)


@pytest.fixture
def look(url: str, key: IssuedKey, model: str) -> Look:
    def look(*images: str, at: str = url, messages: list[Any] | None = None) -> httpx.Response:
        parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
        body = {"model": model, "messages": messages or [{"role": "user", "content": parts}]}
        headers = {"authorization": f"Bearer {key.key}"}
        return httpx.post(f"{at}/v1/chat/completions", json=body, headers=headers, timeout=20)

    return look


@pytest.mark.parametrize("path", ["/png", "/moved"])
def test_the_model_is_given_the_bytes(
    look: Look, host: str, llm: ScriptedLLM, model: str, *, path: str
) -> None:
    llm.script(model, {"text": "A dot."})
    assert look(host + path).status_code == 200
    [part] = llm.bodies(model)[0]["messages"][-1]["content"]
    assert part == {"type": "image_url", "image_url": {"url": DATA_URL}}


def test_an_image_in_a_tool_message_is_fetched_too(
    look: Look, host: str, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "A dot."})
    call = {"id": "c1", "type": "function", "function": {"name": "photo", "arguments": "{}"}}
    part = {"type": "image_url", "image_url": {"url": f"{host}/png"}}
    messages = [
        {"role": "user", "content": "Take a photo."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [part]},
    ]
    assert look(messages=messages).status_code == 200
    assert DATA_URL in str(llm.bodies(model)[0]["messages"][-1]["content"])


def test_an_image_that_comes_twice_is_fetched_once(
    look: Look, host: str, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Two dots."})
    address = f"{host}/png?{uuid.uuid4().hex}"
    assert look(address, address, DATA_URL).status_code == 200
    assert Host.seen.count(address.removeprefix(host)) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/page", "no png, jpeg, gif or webp"),
        ("/gone", "status 404"),
        ("/metadata", "metadata service"),
        ("/round", "cannot be fetched"),
        ("/large", "over 10,485,760 bytes"),
    ],
)
def test_what_is_no_image_is_refused(look: Look, host: str, *, path: str, reason: str) -> None:
    response = look(DATA_URL, host + path)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (400, "invalid_image_url")
    assert error["param"] == "messages[0].content[1].image_url.url"
    assert reason in error["message"]


def test_a_private_address_is_refused(stack: Stack, look: Look, host: str) -> None:
    Host.seen.clear()
    error = error_of(look(f"{host}/png", at=stack.url))
    assert "not on the public Internet" in error["message"]
    assert Host.seen == []


def test_hosts_that_staff_may_use_are_not_for_callers(stack: Stack, look: Look, host: str) -> None:
    port = free_port()
    allowed = {"ALLOWED_PRIVATE_HOSTS": host.removeprefix("http://")}
    running = stack.start_process("web-of-staff", stack.web_command(port), **allowed)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: readiness(url) == "ok", within_s=20)
        Host.seen.clear()
        for path in ("/png", "/moved"):
            assert "list 127.0.0.1" in error_of(look(host + path, at=url))["message"]
        assert Host.seen == []
    finally:
        running.stop(timeout_s=10)


def test_too_many_images_are_refused(look: Look, host: str) -> None:
    addresses = [f"{host}/png?{number}" for number in range(MOST_IMAGES + 1)]
    assert error_of(look(*addresses))["code"] == "invalid_image_url"
