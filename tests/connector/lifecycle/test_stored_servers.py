"""The rules for commands and addresses hold at the start, however a server came into the database."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from connector.session.egress_transport import EgressFilteredTransport
from tests.connector.conftest import BY, FAST, SERVERS, orm, wait_for
from tests.tools.outbound.test_egress import DISGUISED, Inside, Resolver
from tools import actions
from tools.models import MCPTool, Status
from tools.outbound.egress import AddressRefused

STDIO: dict[str, Any] = {"name": "smuggled", "slug": "smuggled", "connection_type": "stdio"}
REMOTE: dict[str, Any] = {**STDIO, "connection_type": "streamable_http"}


@pytest.fixture
async def inside() -> AsyncIterator[tuple[int, Inside]]:
    """A server in the internal network, and its port."""
    server = Inside()
    runner = web.ServerRunner(web.Server(server))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], server
    await runner.cleanup()


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    return resolver


async def smuggle(**fields: Any) -> MCPTool:
    """Writes straight into the database, as SQL, a fixture or an old backup would."""
    return await orm(MCPTool.objects.create)(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"command": "sh", "args": ["-c", "touch {}"]},
        {"command": "/bin/sh", "args": ["-c", "touch {}"]},
        {"command": "python3", "args": ["-c", "open('{}', 'w')"], "env": {"LD_PRELOAD": "/tmp/x.so"}},
        {"command": "python3", "args": ["-c", "open('{}', 'w')"], "env": {"PATH": "/tmp"}},
    ],
)
async def test_a_command_that_is_not_allowed_is_never_spawned(
    servers: Any, supervise: Any, tmp_path: Any, fields: dict[str, Any]
) -> None:
    ran = tmp_path / "ran"
    args = [arg.replace("{}", str(ran)) for arg in fields["args"]]
    supervise()
    server = await smuggle(**{**STDIO, **fields, "args": args})
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "command_not_allowed"
    assert not ran.exists()


@pytest.mark.parametrize("connection_type", ["sse", "streamable_http"])
async def test_an_address_that_is_not_allowed_is_never_reached(
    servers: Any, supervise: Any, inside: tuple[int, Inside], connection_type: str
) -> None:
    port, server = inside
    supervise()
    fields = {**REMOTE, "connection_type": connection_type, "url": f"http://127.0.0.1:{port}/mcp?key=canary"}
    row = await servers.wait_until(await smuggle(**fields), Status.ERROR)
    assert row.error["class"] == "url_not_allowed"
    assert f"127.0.0.1:{port}" in row.error["message"]
    assert "canary" not in str(row.error)
    assert server.hits == []


async def test_a_name_that_turns_private_after_it_was_saved_is_never_reached(
    servers: Any, supervise: Any, inside: tuple[int, Inside], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, server = inside
    resolver = Resolver()
    resolver.answers["rebinding.example"] = [["93.184.216.34"], ["127.0.0.1"]]
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    fields = {
        "name": "r",
        "connection_type": "streamable_http",
        "url": f"http://rebinding.example:{port}/mcp",
    }
    registered = await orm(actions.register)(by=BY, **fields)
    supervise()
    row = await servers.wait_until(registered, Status.ERROR)
    assert row.error["class"] == "url_not_allowed"
    assert server.hits == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", *DISGUISED])
async def test_the_mcp_client_never_connects_to_our_own_network(
    inside: tuple[int, Inside], host: str
) -> None:
    port, server = inside
    async with httpx2.AsyncClient(transport=EgressFilteredTransport()) as client:
        with pytest.raises((AddressRefused, httpx2.InvalidURL)):
            await client.get(f"http://{host}:{port}/")
    assert server.hits == []


async def test_the_mcp_client_connects_to_the_address_that_was_checked(
    inside: tuple[int, Inside], dns: Resolver, settings: Any
) -> None:
    """Once for a session, whatever the name resolves to later."""
    port, server = inside
    settings.ALLOWED_PRIVATE_HOSTS = [f"mcp.internal:{port}"]
    dns.answers["mcp.internal"] = [["127.0.0.1"], ["127.0.0.2"]]
    async with httpx2.AsyncClient(transport=EgressFilteredTransport()) as client:
        for _ in range(2):
            assert (await client.get(f"http://mcp.internal:{port}/")).text == "inside"
    assert server.hits == [f"mcp.internal:{port}"] * 2
    assert dns.asked == ["mcp.internal"]


async def test_the_mcp_client_tries_the_next_address(
    inside: tuple[int, Inside], dns: Resolver, settings: Any
) -> None:
    port, _ = inside
    settings.ALLOWED_PRIVATE_HOSTS = [f"mcp.internal:{port}"]
    dns.answers["mcp.internal"] = [["127.0.0.3", "127.0.0.1"]]
    async with httpx2.AsyncClient(transport=EgressFilteredTransport()) as client:
        assert (await client.get(f"http://mcp.internal:{port}/")).status_code == 200


async def test_a_redirect_does_not_lead_into_our_own_network(
    servers: Any, supervise: Any, inside: tuple[int, Inside], settings: Any
) -> None:
    port, outside = inside
    behind = Inside()
    runner = web.ServerRunner(web.Server(behind))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    outside.redirect = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    settings.ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}"]
    supervise()
    await servers.wait_until(await smuggle(**REMOTE, url=f"http://127.0.0.1:{port}/mcp"), Status.ERROR)
    await runner.cleanup()
    assert outside.hits
    assert behind.hits == []


async def test_a_refresh_finds_new_tools_at_once(servers: Any, supervise: Any, tmp_path: Any) -> None:
    """The server never reports its changes, and its next health check is far away."""
    offer = tmp_path / "offer.json"
    offer.write_text('["one"]')
    supervise(timings=replace(FAST, health=60))
    server = await servers.running(args=[str(SERVERS / "unannounced.py"), str(offer)])
    bystander = await servers.running(name="bystander")
    checked = (await servers.instance(bystander)).checked_at
    offer.write_text('["one", "two"]')
    await asyncio.sleep(0.3)
    assert await orm(server.functions.count)() == 1
    await orm(actions.refresh)(server)
    await wait_for(orm(lambda: server.functions.count() == 2), within_s=25)
    assert (await servers.instance(bystander)).checked_at == checked


def certificate_for(name: str) -> tuple[bytes, bytes]:
    """Returns a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(*form)


@pytest.mark.parametrize(("name", "is_trusted"), [("mcp.internal", True), ("other.internal", False)])
async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    dns: Resolver, settings: Any, tmp_path: Any, name: str, is_trusted: bool
) -> None:
    pem = tmp_path / "server.pem"
    pem.write_bytes(b"".join(certificate_for(name)))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem)
    runner = web.ServerRunner(web.Server(Inside()))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    port = runner.addresses[0][1]
    settings.ALLOWED_PRIVATE_HOSTS = [f"mcp.internal:{port}"]
    dns.answers["mcp.internal"] = [["127.0.0.1"]]
    trust = ssl.create_default_context(cafile=str(pem))
    async with httpx2.AsyncClient(transport=EgressFilteredTransport(trust)) as client:
        try:
            if is_trusted:
                assert (await client.get(f"https://mcp.internal:{port}/")).text == "inside"
            else:
                with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.get(f"https://mcp.internal:{port}/")
        finally:
            await runner.cleanup()
