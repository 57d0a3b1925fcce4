"""Images by address: a service that can gets the address, another one the bytes, through the guard."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apikeys.actions import IssuedKey
from assistants.conversations.images import MOST_HOSTS, MOST_IMAGES
from assistants.models import Provider
from config.runner.network import free_port
from tests import image_host
from tests.assistants.openai_api.conftest import error_of
from tests.image_host import DATA_URL, Host
from tests.llm import ScriptedLLM
from tests.stack import Stack, readiness, wait_for

Look = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with image_host.image_host() as url:
        yield url


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_host.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure_host(certificate: Path) -> Iterator[str]:
    with image_host.image_host(certificate) as url:
        yield url


@pytest.fixture(scope="module")
def url(stack: Stack, host: str, secure_host: str, certificate: Path) -> Iterator[str]:
    """A web process that may fetch from the hosts."""
    port = free_port()
    hosts = [host.removeprefix("http://"), secure_host.removeprefix("https://")]
    allowed = {"IMAGE_PRIVATE_HOSTS": ",".join(hosts), "SSL_CERT_FILE": str(certificate)}
    running = stack.start_process("web-of-images", stack.web_command(port), **allowed)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=60)
    yield url
    running.stop(timeout_s=10)


@pytest.fixture
def look(url: str, key: IssuedKey, model: str) -> Look:
    def look(
        *images: str, at: str = url, messages: list[Any] | None = None, model: str = model
    ) -> httpx.Response:
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
        wait_for(lambda: readiness(url) == "ok", within_s=60)
        Host.seen.clear()
        for path in ("/png", "/moved"):
            assert "list 127.0.0.1" in error_of(look(host + path, at=url))["message"]
        assert Host.seen == []
    finally:
        running.stop(timeout_s=10)


def test_images_that_are_too_large_together_are_refused(look: Look, host: str) -> None:
    response = look(*(f"{host}/half?{number}" for number in range(3)))
    error = error_of(response)
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_image_url", "messages")
    assert "20,971,520 bytes" in error["message"]


def test_too_many_images_are_refused(look: Look, host: str) -> None:
    addresses = [f"{host}/png?{number}" for number in range(MOST_IMAGES + 1)]
    assert error_of(look(*addresses))["code"] == "invalid_image_url"


PUBLIC = "https://nowhere.invalid/cat.png"
"""No host has this name: whatever fetches it fails."""


def image(address: str, **more: Any) -> list[dict[str, Any]]:
    part = {"type": "image_url", "image_url": {"url": address, **more}}
    return [{"role": "user", "content": [part]}]


@pytest.mark.parametrize("detail", [{}, {"detail": "low"}])
@pytest.mark.parametrize("address", [PUBLIC, "HTTPS://93.184.215.14/cat.png?size=9&x=%20#a"])
def test_an_https_address_goes_to_the_service_as_it_is(
    look: Look, llm: ScriptedLLM, model: str, *, address: str, detail: dict[str, str]
) -> None:
    llm.script(model, {"text": "A cat."})
    assert look(messages=image(address, **detail)).status_code == 200
    assert llm.bodies(model)[0]["messages"][-1:] == image(address, **detail)


def test_the_detail_of_a_data_url_is_kept(look: Look, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "A dot."})
    assert look(messages=image(DATA_URL, detail="high")).status_code == 200
    assert llm.bodies(model)[0]["messages"][-1:] == image(DATA_URL, detail="high")


def test_an_image_of_a_response_goes_on_as_it_is(
    url: str, key: IssuedKey, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "A cat."}, {"text": "Still a cat."})
    headers = {"authorization": f"Bearer {key.key}"}
    part = {"type": "input_image", "image_url": PUBLIC, "detail": "high"}
    body = {"model": model, "input": [{"role": "user", "content": [part]}]}
    first = httpx.post(f"{url}/v1/responses", json=body, headers=headers, timeout=20).json()
    again = {"model": model, "input": "Sure?", "previous_response_id": first["id"]}
    httpx.post(f"{url}/v1/responses", json=again, headers=headers, timeout=20).raise_for_status()
    for sent in llm.bodies(model):
        assert sent["messages"][0] == image(PUBLIC, detail="high")[0]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("https://127.0.0.1/a.png", "not on the public Internet"),
        ("https://localhost/a.png", "not on the public Internet"),
        ("https://[::ffff:10.0.0.1]/a.png", "not on the public Internet"),
        ("https://169.254.169.254/a.png", "metadata service"),
        ("http://169.254.169.254/a.png", "metadata service"),
        ("https://2130706433/a.png", "four decimal numbers"),
        ("https://user@ho st/a.png", "neither spaces nor backslashes"),
        ("ftp://example.com/a.png", "starts with http:// or https://"),
        ("file:///etc/passwd", "starts with http:// or https://"),
        ("https://", "starts with http:// or https://"),
        ("", "starts with http:// or https://"),
    ],
)
def test_an_address_that_may_not_be_called_is_not_passed_on(
    look: Look, url: str, key: IssuedKey, llm: ScriptedLLM, model: str, *, address: str, reason: str
) -> None:
    llm.script(model)
    error = error_of(look(PUBLIC, address))
    assert (error["code"], error["param"]) == ("invalid_image_url", "messages[0].content[1].image_url.url")
    assert reason in error["message"]
    part = {"type": "input_image", "image_url": address}
    body = {"model": model, "input": [{"role": "user", "content": [part]}]}
    headers = {"authorization": f"Bearer {key.key}"}
    error = error_of(httpx.post(f"{url}/v1/responses", json=body, headers=headers, timeout=20))
    assert (error["code"], error["param"]) == ("invalid_image_url", "input[0].content[0].image_url")
    assert llm.bodies(model) == []


def test_many_images_are_passed_on_from_few_hosts(look: Look, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Cats."})
    assert look(*(f"{PUBLIC}?{number}" for number in range(3 * MOST_IMAGES))).status_code == 200
    hosts = (f"https://h{number}.invalid/a.png" for number in range(MOST_HOSTS + 1))
    assert error_of(look(*hosts))["code"] == "invalid_image_url"


def provider(stack: Stack, **fields: Any) -> Provider:
    named = {"name": uuid.uuid4().hex, "default_model": "m"}
    with stack.database():
        return Provider.objects.create(**named, **fields)


def test_a_provider_that_takes_bytes_alone_is_given_bytes(
    stack: Stack, look: Look, secure_host: str, key: IssuedKey, llm: ScriptedLLM
) -> None:
    slug = f"bytes-{uuid.uuid4().hex}"
    stack.assistant(slug, keys=(key,), provider=provider(stack, base_url=llm.base_url, fetch_images=True))
    llm.script(slug, {"text": "A dot."})
    messages = image(f"{secure_host}/png", detail="low")
    assert look(messages=messages, model=slug).status_code == 200
    assert llm.bodies(slug)[0]["messages"] == image(DATA_URL, detail="low")
    error = error_of(look(messages=image(PUBLIC), model=slug))
    assert error["param"] == "messages[0].content[0].image_url.url"


def test_a_private_host_that_is_listed_is_fetched_from(
    look: Look, secure_host: str, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "A dot."})
    assert look(f"{secure_host}/png").status_code == 200
    assert llm.bodies(model)[0]["messages"] == image(DATA_URL)


def test_a_fallback_takes_addresses_where_the_first_one_takes_bytes(
    stack: Stack, look: Look, secure_host: str, key: IssuedKey, llm: ScriptedLLM
) -> None:
    slug, fallback = f"bytes-{uuid.uuid4().hex}", f"address-{uuid.uuid4().hex}"
    first = provider(stack, base_url=llm.base_url, fetch_images=True)
    other = provider(stack, base_url=llm.base_url)
    chain = {"provider": first, "fallback_provider": other, "fallback_model": fallback}
    stack.assistant(slug, keys=(key,), **chain)
    llm.script(slug, {"status": 400, "body": "{}"})
    llm.script(fallback, {"text": "A dot."})
    assert look(f"{secure_host}/png", model=slug).status_code == 200
    assert llm.bodies(fallback)[0]["messages"] == image(DATA_URL)


def test_where_no_image_can_be_fetched_for_the_fallback_the_first_failure_is_told(
    stack: Stack, look: Look, key: IssuedKey, llm: ScriptedLLM
) -> None:
    slug = f"address-{uuid.uuid4().hex}"
    other = provider(stack, base_url=llm.base_url, fetch_images=True)
    stack.assistant(slug, keys=(key,), fallback_provider=other, fallback_model=f"no-{slug}")
    llm.script(f"no-{slug}")
    llm.script(slug, {"status": 401, "body": "{}"})
    assert error_of(look(PUBLIC, model=slug))["code"] == "upstream_auth_error"
    assert llm.bodies(f"no-{slug}") == []
