"""What the product calls: LLM services by a question that costs nothing, MCP servers by their state."""

import asyncio
import os
from collections.abc import Iterator

import aiohttp
from django.conf import settings

from assistants.catalogue.endpoints import Endpoint, endpoint
from assistants.models import Provider
from config.doctor.finding import Finding, failed, ok, warning
from tools.models import MCPTool, Status
from tools.outbound.egress import AddressRefused
from tools.outbound.http import filtered_connector
from tools.secrets.encryption import Unreadable

_TIMEOUT_S = 10.0
_LOOK = "Check its address and the network."


def check_providers() -> Iterator[Finding]:
    asked = {"of the settings": endpoint(None)} if settings.OPENAI_API_KEY else {}
    asked |= {provider.name: endpoint(provider) for provider in Provider.objects.order_by("name")}
    if not asked:
        yield warning("Providers", "there is none.", "Set OPENAI_BASE_URL and OPENAI_API_KEY, or add one.")
    yield from asyncio.run(_asked(asked))


def check_servers() -> Iterator[Finding]:
    enabled = MCPTool.objects.present().filter(is_enabled=True).order_by("name")
    running = enabled.filter(status=Status.RUNNING).count()
    if running:
        yield ok("Servers", f"{running} run")
    for server in enabled.exclude(status=Status.RUNNING):
        error = server.error or {}
        said = error.get("message") or f"it is {server.status}."
        yield warning(f"Server {server.name}", said, error.get("remedy") or "See its page in the console.")


async def _asked(endpoints: dict[str, Endpoint]) -> list[Finding]:
    async with aiohttp.ClientSession(
        connector=filtered_connector(exempt=[settings.OPENAI_BASE_URL]),
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as http:
        return await asyncio.gather(
            *(_ask(http, f"Provider {name}", each) for name, each in endpoints.items())
        )


async def _ask(http: aiohttp.ClientSession, subject: str, service: Endpoint) -> Finding:
    """Lists the models of an OpenAI-compatible service: that shows its address and the key, and is free."""
    if service.kind != Provider.Kind.OPENAI:
        return ok(subject, f"not asked: {service.kind} has a protocol of its own. Try it in the playground")
    if isinstance(service.api_key, Unreadable):
        return failed(subject, "its key cannot be decrypted.", "See the secrets above, or enter it anew.")
    headers = {"Authorization": f"Bearer {service.api_key}"} if service.api_key else {}
    try:
        async with http.get(f"{service.base_url}/models", headers=headers, allow_redirects=False) as answer:
            return _judged(subject, answer.status)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        said, remedy = _cause(error)
        return failed(subject, f"it cannot be reached: {said}", remedy)


def _cause(error: Exception) -> tuple[str, str]:
    """Returns why a service cannot be reached, and what to do. An error's own text may quote the key."""
    cause = getattr(error, "os_error", None)
    if isinstance(cause, AddressRefused):
        return str(cause), "Do so where you trust it, or mend its address."
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate is not trusted.", "Check its address, and have this host trust its authority."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known.", "Check its address, and the name server of this host."
    if isinstance(error, TimeoutError):
        return f"it did not answer within {_TIMEOUT_S:.0f} s.", _LOOK
    if cause is not None and cause.errno:
        return f"{os.strerror(cause.errno)}.", _LOOK
    return f"{type(error).__name__}.", _LOOK


def _judged(subject: str, status: int) -> Finding:
    if status in {401, 403}:
        return failed(subject, f"it refuses the key ({status}).", "Enter a valid key.")
    if status >= 500:
        return warning(subject, f"it answers with an error ({status}).", "Ask whoever operates it.")
    return ok(subject, "it answers")
