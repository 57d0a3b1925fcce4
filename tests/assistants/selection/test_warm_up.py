"""The embedder is loaded before the first chat needs it, and only if one will."""

import asyncio
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from assistants import actions
from assistants.models import Assistant
from assistants.selection import warm_up
from core import feed
from core.actor import Actor
from tests.connector.conftest import orm, wait_for
from tests.tools.search.embedding_service import EmbeddingService, Reply, serving

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")


@pytest.fixture
def service(settings: LazySettings) -> Iterator[EmbeddingService]:
    with serving() as service:
        settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = service.url, "warm"
        yield service


async def test_the_embedder_is_loaded_once_when_an_assistant_selects_tools(service: EmbeddingService) -> None:
    assistant: Assistant = await orm(actions.create)(by=BY, name="Helper")
    async with feed.listening(), warm_up.lifespan():
        await asyncio.sleep(0.3)
        assert service.bodies == []
        await orm(actions.update)(assistant, by=BY, selection="search")
        await wait_for(lambda: service.bodies, within_s=25)
        await orm(actions.update)(assistant, by=BY, selection="retrieved")
        await asyncio.sleep(0.3)
    assert [body["input"] for body in service.bodies] == [["ready"]]


async def test_an_embedder_that_fails_or_hangs_delays_neither_start_nor_stop(
    service: EmbeddingService,
) -> None:
    await orm(actions.create)(by=BY, name="Helper", selection="retrieved")
    service.next = [Reply(slowness=1, body=b" " * 100)]
    async with asyncio.timeout(30), warm_up.lifespan():
        await wait_for(lambda: service.bodies, within_s=25)
