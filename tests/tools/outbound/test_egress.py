"""The egress filter: every spelling of an address of the internal network, at save and at connect."""

import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from django.core.exceptions import ImproperlyConfigured, ValidationError

from tests.tools.outbound.addresses import DISGUISED, METADATA, PRIVATE, PUBLIC
from tools.outbound import egress
from tools.outbound.egress import AddressRefused, require_allowed
from tools.outbound.http import filtered_connector


class Inside:
    """A server of the internal network, on loopback. It stores who reached it."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self.redirect = ""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.hits.append(request.host)
        if self.redirect:
            return web.Response(status=307, headers={"Location": self.redirect})
        return web.Response(text="inside")


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`port, inside = await start(address)`"""
    runners: list[web.ServerRunner] = []

    async def listen(address: str = "127.0.0.1", port: int = 0) -> tuple[int, Inside]:
        inside = Inside()
        runners.append(web.ServerRunner(web.Server(inside)))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], address, port).start()
        return runners[-1].addresses[0][1], inside

    yield listen
    for runner in runners:
        await runner.cleanup()


class Resolver:
    """The DNS under the test's control: each lookup of a name takes its next answer, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []

    def getaddrinfo(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        left = self.answers[host]
        return [
            info
            for address in (left.pop(0) if len(left) > 1 else left[0])
            for info in _getaddrinfo(address, port, type=socket.SOCK_STREAM)
        ]


_getaddrinfo = socket.getaddrinfo


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    return resolver


async def fetch(url: str, **options: Any) -> str:
    async with (
        aiohttp.ClientSession(connector=filtered_connector(**options)) as session,
        session.get(url) as answer,
    ):
        return await answer.text()


# --- at save ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", METADATA + PRIVATE + DISGUISED)
def test_addresses_of_the_internal_network_are_refused_at_save(host: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        require_allowed(f"http://{host}:8080/mcp?token=canary")
    assert refusal.value.code == "url_not_allowed"
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com",
        "http://",
        "http://:80/",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1",
        "http://example\t.com/",
        " http://93.184.216.34/",
        "http://bücher.example/",
        "http://" + "a" * 64 + ".example/",
        "http://.example/",
    ],
)
def test_urls_without_an_unambiguous_host_are_refused_at_save(url: str) -> None:
    with pytest.raises(ValidationError):
        require_allowed(url)


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_may_be_saved(host: str) -> None:
    require_allowed(f"https://{host}/mcp")


def test_the_name_of_a_metadata_service_is_refused_by_its_address(dns: Resolver) -> None:
    dns.answers["metadata.google.internal"] = [["169.254.169.254"]]
    with pytest.raises(ValidationError):
        require_allowed("http://metadata.google.internal/")


@pytest.mark.parametrize("answer", [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::1"]])
def test_every_address_of_an_answer_is_checked(dns: Resolver, answer: list[str]) -> None:
    dns.answers["mcp.example"] = [answer]
    with pytest.raises(ValidationError):
        require_allowed("https://mcp.example/")


def test_a_name_that_cannot_be_resolved_now_may_be_saved(dns: Resolver) -> None:
    require_allowed("https://mcp.example/")
    assert dns.asked == ["mcp.example"]


# --- what may be private ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/mcp"),
        ("localhost:8080", "http://LOCALHOST:8080/"),
        ("[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/"),
        ("10.0.0.5:443", "https://10.0.0.5/"),
    ],
)
def test_a_listed_host_and_port_may_be_private(settings: Any, listed: str, url: str) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = [listed]
    require_allowed(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081/", "http://127.0.0.2:8080/", "http://localhost:8080/"]
)
def test_only_the_listed_host_and_port_may_be_private(settings: Any, url: str) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ["127.0.0.1:8080"]
    with pytest.raises(ValidationError):
        require_allowed(url)


@pytest.mark.parametrize("host", METADATA)
def test_no_setting_opens_a_metadata_service(settings: Any, host: str) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = [f"{host}:80"]
    with pytest.raises(ValidationError):
        require_allowed(f"http://{host}/latest/meta-data")


@pytest.mark.parametrize("setting", [egress.OPERATORS, egress.CALLERS])
@pytest.mark.parametrize(
    "entry", ["localhost", "http://localhost:80", "127.1:80", "localhost:x", "a:80/path"]
)
def test_the_error_of_a_malformed_entry_names_the_setting(
    settings: Any, entry: str, setting: egress.PrivateHosts
) -> None:
    setattr(settings, setting, [entry])
    with pytest.raises(ImproperlyConfigured, match=setting):
        egress.listed(setting)


# --- at connect ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", *DISGUISED])
async def test_no_connection_is_made_to_the_internal_network(start: Start, host: str) -> None:
    port, inside = await start()
    with pytest.raises((aiohttp.ClientError, ValueError)):
        await fetch(f"http://{host}:{port}/")
    assert inside.hits == []


async def test_a_connection_is_made_to_a_listed_host(start: Start, settings: Any) -> None:
    port, _ = await start()
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}"]
    assert await fetch(f"http://127.0.0.1:{port}/") == "inside"


async def test_the_service_of_the_environment_is_exempt(start: Start, dns: Resolver) -> None:
    port, _ = await start()
    dns.answers["llm.internal"] = [["127.0.0.1"]]
    assert await fetch(f"http://llm.internal:{port}/", exempt=[f"http://llm.internal:{port}/v1"]) == "inside"
    with pytest.raises(aiohttp.ClientConnectorError) as refusal:
        await fetch(f"http://127.0.0.1:{port}/", exempt=[f"http://llm.internal:{port}/v1"])
    assert isinstance(refusal.value.os_error, AddressRefused)


async def test_a_name_that_turns_private_after_it_was_saved_is_refused(start: Start, dns: Resolver) -> None:
    port, inside = await start()
    dns.answers["rebinding.example"] = [["93.184.216.34"], ["127.0.0.1"]]
    require_allowed(f"http://rebinding.example:{port}/")
    with pytest.raises(aiohttp.ClientConnectorError) as refusal:
        await fetch(f"http://rebinding.example:{port}/")
    assert isinstance(refusal.value.os_error, AddressRefused)
    assert inside.hits == []


async def test_a_connection_is_made_to_the_address_that_was_checked(
    start: Start, dns: Resolver, settings: Any
) -> None:
    """The name resolves differently each time: it is resolved once, and that address is used."""
    port, checked = await start("127.0.0.2")
    _, other = await start("127.0.0.1", port)
    settings.ALLOWED_PRIVATE_HOSTS = [f"rebinding.example:{port}"]
    dns.answers["rebinding.example"] = [["127.0.0.2"], ["127.0.0.1"]]
    assert await fetch(f"http://rebinding.example:{port}/") == "inside"
    assert (len(checked.hits), other.hits, dns.asked) == (1, [], ["rebinding.example"])


async def test_a_redirect_to_the_internal_network_is_refused(start: Start, settings: Any) -> None:
    port, outside = await start()
    inner_port, inside = await start()
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}"]
    outside.redirect = f"http://127.0.0.1:{inner_port}/"
    with pytest.raises(aiohttp.ClientConnectorError):
        await fetch(f"http://127.0.0.1:{port}/")
    assert (len(outside.hits), inside.hits) == (1, [])
