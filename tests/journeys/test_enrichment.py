"""Tools are found by example requests that a model wrote: with a real worker that beat reminds of it."""

import json

import httpx

from core.actor import Actor
from tests.stack import Stack, wait_for
from tools import actions
from tools.models import ToolFunction
from tools.search import index

WRITTEN = "Shout my words back from the mountains"


def test_a_worker_has_examples_written_and_indexes_them(stack: Stack) -> None:
    tools = ["tell", "echo", "big", "pid"]
    stack.llm.script("stand-in", {"text": json.dumps({name: [f"{WRITTEN}, {name}"] for name in tools})})
    server, key = stack.server("Enriched"), stack.key("enrichment", can_manage=True)
    with stack.database():
        actions.update(server, by=Actor.system("test"), is_enriched=True)
        echo = ToolFunction.objects.filter(
            server=server, name="echo", examples__requests=[f"{WRITTEN}, echo"]
        )
        wait_for(echo.filter(examples__requests=[f"{WRITTEN}, echo"]).exists, within_s=45)
        wait_for(lambda: index.progress().is_complete, within_s=20)
    best = httpx.get(
        f"{stack.url}/api/v1/mcp-tools/search",
        headers={"authorization": f"Bearer {key.key}"},
        params={"q": f"{WRITTEN}, echo", "limit": 1},
        timeout=20,
    ).json()
    assert [hit["public_name"] for hit in best] == ["enriched__echo"]
