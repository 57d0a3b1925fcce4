import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from apikeys import actions, keys
from apikeys.authentication import authenticate
from apikeys.errors import InvalidApiKey
from apikeys.models import ApiKey
from core import feed
from core.actor import Actor

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db(transaction=True)

issue = sync_to_async(actions.issue)
disable = sync_to_async(actions.disable)


async def test_an_issued_key_is_authenticated() -> None:
    issued = await issue(by=BY, name="alice", can_manage=True)
    principal = await authenticate(f"Bearer {issued.key}")
    assert (principal.id, principal.name, principal.can_manage) == (issued.api_key.pk, "alice", True)


async def test_the_scheme_is_case_insensitive() -> None:
    issued = await issue(by=BY, name="alice")
    assert (await authenticate(f"bearer {issued.key}")).name == "alice"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer ' OR '1'='1", "Bearer \ud800"],
)
async def test_it_refuses_what_is_no_key(header: str | None) -> None:
    with pytest.raises(InvalidApiKey):
        await authenticate(header)


async def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(InvalidApiKey, match="not known"):
        await authenticate(f"Bearer {keys.generate()}")


async def test_an_expired_key_is_refused() -> None:
    issued = await issue(by=BY, name="alice", expires_at=timezone.now() + timedelta(seconds=0.2))
    await asyncio.sleep(0.3)
    with pytest.raises(InvalidApiKey, match="expired"):
        await authenticate(f"Bearer {issued.key}")


async def test_no_refusal_repeats_what_was_sent() -> None:
    key = keys.generate()
    for sent in (key, key[:-1]):
        with pytest.raises(InvalidApiKey) as refusal:
            await authenticate(f"Bearer {sent}")
        assert sent[10:] not in str(refusal.value)


async def test_with_the_feed_a_disabled_key_is_refused_at_once() -> None:
    issued = await issue(by=BY, name="alice")
    async with feed.listening():
        await eventually(lambda: feed.max_age() == float("inf"))
        await authenticate(f"Bearer {issued.key}")
        await disable(issued.api_key, by=BY)
        await eventually_refused(issued.key)


async def test_with_the_feed_a_change_by_plain_sql_applies_too() -> None:
    issued = await issue(by=BY, name="alice")
    async with feed.listening():
        await eventually(lambda: feed.max_age() == float("inf"))
        await authenticate(f"Bearer {issued.key}")
        await ApiKey.objects.filter(pk=issued.api_key.pk).aupdate(is_disabled=True)
        await eventually_refused(issued.key)


async def test_without_the_feed_a_disabled_key_is_refused_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "BLIND_MAX_AGE_S", 0.2)
    issued = await issue(by=BY, name="alice")
    await authenticate(f"Bearer {issued.key}")
    await disable(issued.api_key, by=BY)
    await eventually_refused(issued.key)


async def test_a_known_key_costs_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    issued = await issue(by=BY, name="alice")
    async with feed.listening():
        await eventually(lambda: feed.max_age() == float("inf"))
        await authenticate(f"Bearer {issued.key}")
        monkeypatch.setattr(
            "apikeys.authentication._find", lambda key_hash: pytest.fail("asked the database")
        )
        assert (await authenticate(f"Bearer {issued.key}")).name == "alice"


async def eventually(condition: object, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def eventually_refused(key: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await authenticate(f"Bearer {key}")
            except InvalidApiKey:
                return
            await asyncio.sleep(0.01)
