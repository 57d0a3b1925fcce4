"""SSRF by redirect, rebinding and ranges: one table of addresses, at every place that fetches."""

import asyncio
import re
import socket
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.advisories.fetching import BY_PEOPLE, BY_SETTINGS, OUR_OWN, Fetch
from tests.tools.outbound.addresses import DISGUISED, METADATA, PRIVATE
from tests.tools.outbound.test_egress import Resolver

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("apikeys", "assistants", "config", "connector", "core", "tools")
CONNECTS = re.compile(
    r"\b(ClientSession|TCPConnector|filtered_connector|AsyncClient|AsyncHTTPTransport|EgressFilteredTransport|HttpClient|urlopen|open_connection"
    r"|create_connection|boto3\.client|requests\.(?:get|post)|urllib3)\("
)
PORT = 4242
PUBLIC = "93.184.216.34"
SITES = {name: fetch for name, (_, fetch) in (BY_PEOPLE | BY_SETTINGS).items()}

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts at PORT to which a connection was tried, by whatever library. All of them refuse it."""
    reached: list[str] = []

    def noted(address: Any) -> bool:
        if isinstance(address, tuple) and address[1] == PORT:
            reached.append(str(address[0]))
            return True
        return False

    async def sock_connect(loop: Any, sock: socket.socket, address: Any) -> None:
        if noted(address):
            raise ConnectionRefusedError
        await really(loop, sock, address)

    def connect(sock: socket.socket, address: Any) -> None:
        if noted(address):
            raise ConnectionRefusedError
        really_blocking(sock, address)

    really, really_blocking = BaseSelectorEventLoop.sock_connect, socket.socket.connect
    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", sock_connect)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return reached


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Answers for names that end in .example; others are as they are."""
    resolver = Resolver()
    really = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if isinstance(text, str) and text.endswith(".example"):
            return resolver.getaddrinfo(text, *args, **options)
        return really(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolver


@pytest.fixture(autouse=True)
def impatient(settings: Any) -> None:
    settings.LLM_READ_TIMEOUT_S = settings.LLM_CONNECT_TIMEOUT_S = 2
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "", "http://127.0.0.1:9/v1"
    settings.EMBEDDING_BASE_URL = settings.TOOL_FILTER_URL = ""


async def tried(fetch: Fetch, url: str) -> None:
    with suppress(Exception):
        async with asyncio.timeout(15):
            await fetch(url)


@pytest.mark.parametrize("site", SITES)
async def test_ssrf_by_ranges(reached: list[str], site: str) -> None:
    """LiteLLM 12798, MCPHub 79747, Bifrost 55245, Open WebUI 45338 and 54008, LibreChat 54031, Obot
    GO-2026-6522, FastMCP 32871, MSRC-112281: nobody is sent to an address of the internal network.

    A third of the spellings, as tests/tools/outbound tries all of them. What the environment names may be
    private, but is no metadata service of a cloud.
    """
    private = [] if site in BY_SETTINGS else PRIVATE[::3] + DISGUISED[::3]
    for host in METADATA + private:
        await tried(SITES[site], f"http://{host}:{PORT}/x")
    assert reached == []


@pytest.mark.parametrize("site", BY_PEOPLE)
async def test_ssrf_by_rebinding(reached: list[str], dns: Resolver, site: str) -> None:
    """Open WebUI 54020: a name is public when it is checked, and leads inside when it is connected to."""
    dns.answers["rebinding.example"] = [[PUBLIC], ["127.0.0.1"]]
    await tried(SITES[site], f"http://rebinding.example:{PORT}/x")
    assert set(reached) <= {PUBLIC}


@pytest.mark.parametrize("site", SITES)
async def test_ssrf_by_redirect(reached: list[str], settings: Any, site: str) -> None:
    """LibreChat 54031, ToolHive GO-2026-5996 and 6002: who is allowed sends us to who is not."""
    asked: list[str] = []

    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        location = f"http://169.254.169.254:{PORT}/latest/meta-data"
        return web.Response(status=307, headers={"Location": location})

    runner = web.ServerRunner(web.Server(redirect))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    settings.ALLOWED_PRIVATE_HOSTS = settings.IMAGE_PRIVATE_HOSTS = [host]
    try:
        await tried(SITES[site], f"http://{host}/x")
    finally:
        await runner.cleanup()
    assert asked
    assert reached == []


def test_every_place_that_fetches_is_in_the_table() -> None:
    """Open WebUI 54008: five call sites had the check, the sixth was forgotten."""
    files = {file for file, _ in (BY_PEOPLE | BY_SETTINGS).values()}
    assert set(connecting()) - WIRE == files | OUR_OWN


WIRE = {
    "tools/outbound/http.py",  # the filter itself
    "connector/session/egress_transport.py",  # the same, for the MCP client
    "assistants/agent/llm/egress_transport.py",  # the same, for SDKs
    "connector/session/http_client.py",  # below it: is given addresses that were checked
    "connector/client/connection.py",  # our own workers
}
"""Files that connect for others, or to our own processes."""


def connecting() -> Iterator[str]:
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            if CONNECTS.search(path.read_text()):
                yield str(path.relative_to(ROOT))
