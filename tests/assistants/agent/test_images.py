"""Images by address where a service takes over that needs the bytes."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp.connector
import pytest
from pytest_django import Settings

from assistants.catalogue.endpoints import Endpoint
from tests.assistants.agent.conftest import CANARY, Assistant, client_tool, text
from tests.image_host import DATA_URL, PNG, Host, certificate, image_host
from tests.llm import ScriptedLLM
from tests.servers.vendors import Turn, vendor


@pytest.fixture
def address(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """An image that we may fetch: its host is listed, and its certificate is trusted."""
    trusted = certificate(tmp_path)
    aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(trusted)
    with image_host(trusted) as url:
        settings.IMAGE_PRIVATE_HOSTS = [url.removeprefix("https://")]
        yield f"{url}/png"


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def shown(url: str) -> list[dict[str, Any]]:
    """A conversation with the image twice: from the user, and in a tool's result."""
    call = {"id": "c1", "type": "function", "function": {"name": "photo", "arguments": "{}"}}
    return [
        {"role": "user", "content": [{"type": "text", "text": "Compare."}, image(url)]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [image(url)]},
    ]


def images(body: dict[str, Any]) -> list[Any]:
    contents = (message["content"] for message in body["messages"])
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return [part for part in parts if part["type"] == "image_url"]


async def test_a_fallback_that_takes_bytes_alone_is_given_bytes(
    assistant: Assistant, llm: ScriptedLLM, address: str
) -> None:
    Host.seen.clear()
    other = Assistant(llm)
    fallback = Endpoint(llm.base_url, CANARY, other.conversation, fetch_images=True)
    assistant.script({"status": 400, "body": "{}"})
    other.script({"text": "Two dots."})
    assert text(await assistant.events(shown(address), fallback=fallback)) == "Two dots."
    assert images(assistant.bodies()[0]) == [image(address)] * 2
    assert images(other.bodies()[0]) == [image(DATA_URL)] * 2
    assert Host.seen == ["/png"]


async def test_a_fallback_of_another_kind_is_given_bytes(assistant: Assistant, address: str) -> None:
    async with vendor("bedrock") as service:
        service.answers = [Turn(["Two dots."])]
        assistant.script({"status": 400, "body": "{}"})
        fallback = Endpoint(service.url, CANARY, "m", "bedrock")
        tool = client_tool("photo")
        events = await assistant.events(shown(address), fallback=fallback, client_tools=[tool])
        assert text(events) == "Two dots."
    assert images(assistant.bodies()[0]) == [image(address)] * 2
    sent = {"image": {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}}
    first, _, result = service.bodies[0]["messages"]
    assert first["content"][1] == sent
    assert result["content"][0]["toolResult"]["content"] == [sent]
