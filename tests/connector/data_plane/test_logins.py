"""OAuth logins of people to remote servers, and the tokens that they give."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from connector import grants
from connector.client import logins
from connector.client.logins import LoginFailed
from connector.errors import CallFailed
from connector.models import OAuthGrant
from tests.connector.conftest import BY, orm
from tests.connector.oauth import (
    REDIRECT_URI,
    consent,
    grant,
    log_in,
    post,
    received,
    register,
    running_anew,
    whoami,
)
from tests.connector.remote import RemoteServer
from tools import actions
from tools.models import Status


@pytest.fixture
def remote(start_remote: Any) -> Callable[..., RemoteServer]:
    return lambda *switches: start_remote("oauth.py", *switches)


async def test_a_login_is_good_for_calls_and_for_the_next_worker(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    supervisor = supervise()
    there = remote()
    server = await register(servers, there)
    await grant(server)
    await log_in(server)
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"
    [authorize], [token] = await received(there, "authorize"), await received(there, "token")
    assert (authorize["resource"], authorize["code_challenge_method"]) == (there.url, "S256")
    assert (token["grant_type"], token["resource"]) == ("authorization_code", there.url)
    assert [each["redirect_uris"] for each in await received(there, "register")] == [[REDIRECT_URI]]
    await asyncio.to_thread(supervisor.stop)
    supervise("mcp@another")
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"
    assert len(await received(there, "authorize")) == 1


async def test_a_second_login_reuses_the_client_registration(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    there = remote()
    server = await register(servers, there)
    await grant(server)
    await log_in(server)
    await log_in(server)
    assert len(await received(there, "register")) == 1


async def test_one_of_all_workers_refreshes_refused_tokens(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    """A refresh token is good for one use: two of them at once would end the login."""
    supervise("mcp@one")
    supervise("mcp@two")
    there = remote()
    server = await servers.register(connection_type="streamable_http", url=there.url, replicas=2)
    await grant(server)
    await log_in(server)
    await running_anew(servers, server)
    await post(there, "/revoke")
    answers = await asyncio.gather(*(caller(server, "whoami") for _ in range(8)))
    assert {each.content[0]["text"] for each in answers} == {"somebody"}
    await running_anew(servers, server)
    grant_types = [each["grant_type"] for each in await received(there, "token")]
    assert grant_types == ["authorization_code", "refresh_token"]
    assert await received(there, "refused") == []


async def test_without_a_refresh_token_somebody_has_to_log_in_again(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    supervise()
    there = remote()
    server = await register(servers, there)
    await grant(server)
    await log_in(server)
    await running_anew(servers, server)
    await post(there, "/forget")
    row = await servers.wait_until(server, Status.ERROR)
    assert row.error["class"] == "login_required"
    await log_in(server)
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"


async def test_tokens_are_encrypted_and_deleted_with_the_grant(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    server = await register(servers, remote())
    await grant(server)
    await log_in(server)
    row = await OAuthGrant.objects.aget(server=server)
    assert row.kept["tokens"]["access_token"]

    def stored() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT kept FROM connector_oauthgrant")
            return str(cursor.fetchone()[0])

    assert row.kept["tokens"]["access_token"] not in await orm(stored)()
    await running_anew(servers, server)
    await orm(lambda: grants.delete(OAuthGrant.objects.get(server=server), by=BY))()
    assert (await servers.wait_until(server, Status.ERROR)).error["class"] == "login_required"


async def test_tokens_are_sent_only_to_the_url_that_they_were_granted_for(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    there, elsewhere = remote(), remote()
    server = await register(servers, there)
    await grant(server)
    await log_in(server)
    await running_anew(servers, server)
    await servers.act(actions.update, server, url=elsewhere.url)
    assert (await servers.wait_until(server, Status.ERROR)).error["class"] == "login_required"
    assert await received(elsewhere, "unknown") == []
    assert await received(elsewhere, "token") == []


@pytest.mark.parametrize(
    "change", [{"state": "another"}, {"code": "another"}, {"iss": "https://evil.example"}]
)
async def test_an_answer_to_another_login_is_refused(
    servers: Any, supervise: Any, remote: Any, change: dict[str, str]
) -> None:
    supervise()
    server = await register(servers, remote())
    await grant(server)
    begun = await logins.begin(server.pk, REDIRECT_URI)
    answer = await consent(begun.url)
    with pytest.raises(LoginFailed):
        await logins.finish(begun.worker, answer | change)
    assert "tokens" not in (await OAuthGrant.objects.aget(server=server)).kept


async def test_an_answer_is_good_for_one_use(servers: Any, supervise: Any, remote: Any) -> None:
    supervise()
    server = await register(servers, remote())
    await grant(server)
    begun = await logins.begin(server.pk, REDIRECT_URI)
    answer = await consent(begun.url)
    await logins.finish(begun.worker, answer)
    with pytest.raises(LoginFailed, match="is over"):
        await logins.finish(begun.worker, answer)


async def test_metadata_that_leads_into_our_own_network_is_refused(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    server = await register(servers, remote("metadata"))
    await grant(server)
    with pytest.raises(LoginFailed, match="metadata service"):
        await logins.begin(server.pk, REDIRECT_URI)


async def test_a_server_without_authorization_asks_for_no_login(
    servers: Any, supervise: Any, start_remote: Any
) -> None:
    supervise()
    server = await register(servers, start_remote("real.py", "streamable-http"))
    await grant(server)
    with pytest.raises(LoginFailed, match="asks for no login"):
        await logins.begin(server.pk, REDIRECT_URI)


async def test_without_a_worker_nobody_can_log_in(servers: Any) -> None:
    server = await servers.register(connection_type="streamable_http", url="http://127.0.0.1:9/mcp")
    with pytest.raises(LoginFailed, match="No worker"):
        await logins.begin(server.pk, REDIRECT_URI)


async def test_a_login_works_over_the_older_transport(
    servers: Any, supervise: Any, caller: Any, start_remote: Any
) -> None:
    supervise()
    there = start_remote("oauth.py", "sse", path="/sse")
    server = await servers.register(connection_type="sse", url=there.url)
    await grant(server)
    await log_in(server)
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"


async def test_a_cancelled_renewal_releases_its_claim(servers: Any) -> None:
    """Its query goes on in a thread, wherever the renewal is cancelled."""
    server = await servers.register(connection_type="streamable_http", url="http://127.0.0.1:9/mcp")
    await grant(server)

    async def renew() -> None:
        async with grants.renewing(server.pk):
            await asyncio.sleep(60)

    for turn in range(12):
        renewal = asyncio.create_task(renew())
        await asyncio.sleep(turn / 1000)
        renewal.cancel()
        await asyncio.wait([renewal])
    async with asyncio.timeout(15), grants.renewing(server.pk):
        pass


async def test_a_demanded_scope_reaches_the_next_login(
    servers: Any, supervise: Any, caller: Any, remote: Any
) -> None:
    supervise()
    there = remote("needs=mail.read+mail.send")
    server = await register(servers, there)
    await grant(server, scope="profile")
    await log_in(server)
    await running_anew(servers, server)
    with pytest.raises(CallFailed, match=r"mail\.read mail\.send"):
        await whoami(caller, server)
    await log_in(server)
    await running_anew(servers, server)
    assert await whoami(caller, server) == "somebody"
    first, second = await received(there, "authorize")
    assert set(first["scope"].split()) == {"mcp", "profile"}
    assert set(second["scope"].split()) == {"mcp", "profile", "mail.read", "mail.send"}


async def test_what_was_demanded_outlives_a_change_of_the_grant(
    servers: Any, supervise: Any, remote: Any
) -> None:
    supervise()
    there = remote()
    server = await register(servers, there)
    await grant(server)
    await grants.demand(server.pk, "mail.read")
    row = await OAuthGrant.objects.aget(server=server)
    await orm(lambda: grants.update(row, by=BY, scope="profile"))()
    await log_in(server)
    [asked] = await received(there, "authorize")
    assert set(asked["scope"].split()) == {"mcp", "profile", "mail.read"}
