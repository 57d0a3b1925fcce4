"""What the management API has changed holds for what its caller asks next, whenever the feed reports it."""

from collections.abc import AsyncIterator

import pytest
from django.db import connection

from apikeys import actions as key_actions
from apikeys.actions import IssuedKey
from assistants import actions as assistant_actions
from core.actor import Actor
from tests.config.asgi import request, running
from tests.connector.conftest import orm

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
SLUG = "written"


@pytest.fixture
async def caller() -> IssuedKey:
    key: IssuedKey = await orm(key_actions.issue)(by=BY, name="caller")
    await orm(assistant_actions.create)(by=BY, name=SLUG, slug=SLUG, model=SLUG, api_keys=[key.api_key])
    return key


@pytest.fixture
async def manager() -> IssuedKey:
    issued: IssuedKey = await orm(key_actions.issue)(by=BY, name="manager", can_manage=True)
    return issued


@pytest.fixture
async def silent_feed() -> AsyncIterator[None]:
    """A feed that is trusted, and that no change of an assistant is reported to."""
    async with running():
        await orm(_triggers)("DISABLE")
        try:
            yield
        finally:
            await orm(_triggers)("ENABLE")


def _triggers(verb: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE assistants_assistant {verb} TRIGGER USER")


async def models(key: IssuedKey) -> list[str]:
    answer = await request(key, "GET", "/v1/models")
    return [model["id"] for model in answer.json["data"]]


@pytest.mark.usefixtures("silent_feed")
async def test_a_change_holds_for_the_next_request(caller: IssuedKey, manager: IssuedKey) -> None:
    assert SLUG in await models(caller)
    changed = await request(manager, "PATCH", f"/api/v1/assistants/{SLUG}", is_enabled=False)
    assert changed.status == 200, changed.body
    assert SLUG not in await models(caller)


@pytest.mark.usefixtures("silent_feed")
async def test_a_refused_change_empties_no_cache(caller: IssuedKey, manager: IssuedKey) -> None:
    assert SLUG in await models(caller)
    await orm(_disable_by_sql)()
    for key, fields in ((caller, {"is_enabled": True}), (manager, {"nothing": True})):
        refused = await request(key, "PATCH", f"/api/v1/assistants/{SLUG}", **fields)
        assert 400 <= refused.status < 500, refused.body
    assert SLUG in await models(caller), "anybody could have every process read everything anew"


def _disable_by_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assistants_assistant SET is_enabled = false WHERE slug = %s", [SLUG])
