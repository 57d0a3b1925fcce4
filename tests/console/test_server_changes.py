"""Open pages are told cheaply whether servers have changed."""

import pytest
from django.core import signing
from django.test import AsyncClient
from django.urls import reverse

from connector.models import Instance
from tests.console.pages import BY
from tools import actions
from tools.admin import server_changes
from tools.admin.server_changes import address
from tools.models import MCPTool, Status


@pytest.fixture
def stopped(transactional_db: None) -> MCPTool:
    server: MCPTool = actions.register(by=BY, name="Clock", connection_type="stdio", command="python")
    Instance.objects.create(server=server, phase="released")
    return server


async def changes(url: str) -> str:
    response = await AsyncClient().get(url)
    assert response.status_code == 200
    return response.content.decode()


def forget() -> None:
    """As time does, and the feed."""
    for seen in (server_changes._states, server_changes._outputs):
        seen._cache.clear()


async def test_pages_are_told_whether_servers_have_changed(stopped: MCPTool) -> None:
    listed, shown = address([stopped.pk]), address([stopped.pk], with_output=True)
    first = [await changes(each) for each in (listed, shown)]
    forget()
    assert [await changes(each) for each in (listed, shown)] == first
    await Instance.objects.filter(server=stopped).aupdate(stderr_tail="a line")
    forget()
    assert await changes(listed) == first[0]
    assert await changes(shown) != first[1]
    await MCPTool.objects.filter(pk=stopped.pk).aupdate(status=Status.RUNNING)
    forget()
    assert await changes(listed) != first[0]


async def test_a_server_that_nobody_asked_about_before_is_read_at_once(stopped: MCPTool) -> None:
    none = await changes(address([stopped.pk + 1]))
    assert await changes(address([stopped.pk])) != none


async def test_only_pages_know_where_to_ask() -> None:
    url = reverse("server_changes")
    for forged in (url, f"{url}?of=x", f"{url}?of={signing.dumps([[1], True])}"):
        assert (await AsyncClient().get(forged)).status_code == 404
