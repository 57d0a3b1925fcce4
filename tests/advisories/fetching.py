"""Every place from which this product fetches by HTTP, each with an address that somebody gave it."""

import asyncio
from collections.abc import Awaitable, Callable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest

from apikeys import outbox
from apikeys.models import EventType
from assistants.agent import messages
from assistants.agent.llm import embeddings
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.http import connection_pool
from assistants.agent.llm.vendor_sdks import connect
from assistants.catalogue.endpoints import Endpoint
from assistants.conversations import images
from assistants.filtering import About, external
from assistants.models import Provider, Webhook
from assistants.webhooks import send_due
from config.doctor import services
from connector.grants import Grant
from connector.session import oauth
from connector.session.authorization import Authorization
from connector.session.transports import http_streams, sse_streams
from tests.assistants.filtering.functions import function
from tools.search.embedder.remote import Remote, Service

_PING = SessionMessage(JSONRPCRequest(jsonrpc="2.0", id=1, method="ping"))
Fetch = Callable[[str], Awaitable[object]]
"""Fetches from an address, and may fail in any way."""


async def model(url: str) -> None:
    async with connection_pool() as pool, pool.post(Endpoint(url, "key", "m"), b"{}"):
        pass


def vendor(kind: str) -> Fetch:
    async def answer(url: str) -> None:
        client = await connect(Endpoint(url, "key", "m", kind), {})
        asked = messages.to_strands([{"role": "user", "content": "Hello"}])
        await client.answer(
            Round(messages=asked, system_prompt=None, specs=[], tool_choice=None, reasoning_field=""),
            Completion(),
        )

    return answer


async def webhook(url: str) -> None:
    def send() -> None:
        Webhook.objects.create(name="Hook", url=url, events=[*EventType.values])
        outbox.announce(EventType.APPROVAL_WAITING, id=7, name="mail send")
        try:
            send_due(for_s=0.2)
        finally:
            Webhook.objects.all().delete()
            connections.close_all()

    await sync_to_async(send)()


async def doctor(url: str) -> None:
    def check() -> None:
        Provider.objects.create(name="LLM", default_model="m", base_url=url, api_key="key")
        try:
            list(services.check_providers())
        finally:
            Provider.objects.all().delete()
            connections.close_all()

    await asyncio.to_thread(check)


async def streamable_http(url: str) -> None:
    async with http_streams(url, {}, limit=10_000, auth=Authorization(0)) as (_, write):
        await write.send(_PING)
        await asyncio.sleep(0.3)


async def server_sent_events(url: str) -> None:
    async with sse_streams(url, {}, limit=10_000, auth=Authorization(0)):
        pass


async def login(url: str) -> None:
    async def show(_: str) -> None:
        raise AssertionError("It asked for a login.")

    async def answer() -> dict[str, str]:
        return {}

    grant = Grant(0, url, "login", "", "", "", "", {})
    await oauth.log_in(grant, "https://console.example.org/callback", show=show, answer=answer)


async def image(url: str) -> None:
    await images.fetched([url])


async def embeddings_of_callers(url: str) -> None:
    settings.EMBEDDING_BASE_URL = url
    async with embeddings.lifespan():
        await embeddings.embed({"model": "m", "input": "x"})


async def embedder(url: str) -> None:
    await Remote(Service(url, "m", "key")).embed_query(["x"])


async def tool_filter(url: str) -> None:
    settings.TOOL_FILTER_URL = url
    async with external.lifespan():
        await external.filter_call(function(), {}, About())


BY_PEOPLE: dict[str, tuple[str, Fetch]] = {
    "model": ("assistants/agent/llm/http.py", model),
    "anthropic": ("assistants/agent/llm/vendor_sdks.py", vendor("anthropic")),
    "bedrock": ("assistants/agent/llm/vendor_sdks.py", vendor("bedrock")),
    "gemini": ("assistants/agent/llm/vendor_sdks.py", vendor("gemini")),
    "ollama": ("assistants/agent/llm/vendor_sdks.py", vendor("ollama")),
    "image": ("assistants/conversations/images.py", image),
    "webhook": ("assistants/webhooks/sender.py", webhook),
    "doctor": ("config/doctor/services.py", doctor),
    "streamable HTTP": ("connector/session/transports.py", streamable_http),
    "SSE": ("connector/session/transports.py", server_sent_events),
    "login": ("connector/session/oauth.py", login),
}
"""The file and the site, by name: those whose addresses callers, or people with the right to manage, give."""
BY_SETTINGS: dict[str, tuple[str, Fetch]] = {
    "embeddings": ("assistants/agent/llm/embeddings.py", embeddings_of_callers),
    "embedder": ("tools/search/embedder/remote.py", embedder),
    "filter": ("assistants/filtering/external.py", tool_filter),
}
"""Those whose addresses stand in the environment, and may so be private."""
OUR_OWN = {"config/runner/readiness.py", "config/runner/network.py"}
"""Files that connect to our own processes, at addresses that nobody gives."""
