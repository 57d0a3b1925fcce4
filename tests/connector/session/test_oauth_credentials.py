"""Remote servers that ask for a login, and client credentials that give access to them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.connector.conftest import wait_for
from tests.connector.oauth import (
    CLIENT,
    SECRET,
    by_credentials,
    grant,
    received,
    register,
    running_anew,
    whoami,
)
from tests.connector.remote import RemoteServer
from tools.models import Status


@pytest.fixture
def remote(start_remote: Any) -> Callable[..., RemoteServer]:
    return lambda *switches: start_remote("oauth.py", *switches)


async def test_a_server_that_asks_for_a_login_has_an_error_with_a_hint(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    row = await servers.wait_until(await register(servers, remote()), Status.ERROR)
    assert row.error["class"] == "login_required"
    assert "Log in" in row.error["remedy"]
    assert (await servers.instance(row)).restarts == 1


async def test_client_credentials_give_access(servers: Any, supervise: Any, caller: Any, remote: Any) -> None:
    supervise()
    there = remote("unregistered")
    server = await register(servers, there)
    await by_credentials(server, there)
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"
    [token] = await received(there, "token")
    assert (token["grant_type"], token["resource"]) == ("client_credentials", there.url)


async def test_wrong_credentials_are_an_error_that_does_not_contain_them(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    there = remote("unregistered")
    server = await register(servers, there)
    await servers.wait_until(server, Status.ERROR)
    await by_credentials(server, there, secret="canary-5f1c")

    async def refused() -> bool:
        return bool(await received(there, "refused"))

    await wait_for(refused)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "login_required"
    assert "canary" not in str(row.error)


async def test_credentials_are_sent_to_no_other_issuer(servers: Any, supervise: Any, remote: Any) -> None:
    supervise()
    there = remote("unregistered")
    server = await register(servers, there)
    issuer = "https://other.example.org"
    await grant(server, flow="client_credentials", client_id=CLIENT, client_secret=SECRET, issuer=issuer)
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "login_required"
    assert await received(there, "token") == []


async def test_expired_tokens_are_renewed_while_the_server_runs(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    supervise()
    there = remote("unregistered", "expires=31")  # usable for a second, see RENEW_EARLY_S
    server = await register(servers, there)
    await by_credentials(server, there)
    await running_anew(servers, server)
    await asyncio.sleep(1.2)
    assert await whoami(caller, server) == "somebody"
    assert len(await received(there, "token")) >= 2
    assert (await servers.instance(server)).restarts == 0
