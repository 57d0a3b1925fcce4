"""Relevance feedback: an assistant prefers the tools that served similar requests to it before."""

from collections.abc import Sequence
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from assistants import actions
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry
from assistants.models import Assistant
from assistants.selection import feedback
from core.actor import Actor
from tests.assistants.agent.conftest import entry
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import FunctionUse, MCPTool
from tools.search import Hit, Scope, embedder, index, read_as, search

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
NOWHERE = Endpoint("http://127.0.0.1:9/v1", "", "none")
TOOLS = {
    "contacts_north": "Find contacts and their phone numbers.",
    "contacts_south": "Find contacts and their phone numbers.",
    "send_mail": "Send an e-mail.",
}
REQUESTS = [
    "How do I reach the people at Acme?",
    "Give me the phone number of our contact at Globex.",
    "Who is our contact person at Initech?",
]
LATER = "What is the phone number of the contact at Umbrella?"


@pytest.fixture
def server(db: None) -> MCPTool:
    server = tool_actions.register(by=BY, name="Office", connection_type="stdio", command="uvx")
    schema = {"type": "object", "properties": {}}
    described = [{"name": name, "description": about, "inputSchema": schema} for name, about in TOOLS.items()]
    catalogue.record(server.pk, described)
    index.work(for_s=30)
    return server


@pytest.fixture
def assistant(server: MCPTool) -> Assistant:
    return actions.create(by=BY, name="Clerk", tools=[server], selection="retrieved")


def of(assistant: Assistant, **changes: Any) -> AssistantEntry:
    fields = {"selection": assistant.selection, "learns": assistant.learns}
    return entry(NOWHERE, id=assistant.pk, **(fields | changes))


def user_says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


async def give_feedback(
    assistant: AssistantEntry, functions: Sequence[feedback.Function], *requests: str
) -> None:
    """Notes feedback, and returns when it is written."""
    async with feedback.writer.running():
        for request in requests:
            feedback.note(assistant, user_says(request), functions)


async def found(server: MCPTool, used_by: int | None) -> dict[str, Hit]:
    scope = Scope(frozenset([server.pk]), used_by=used_by)
    return {hit.function: hit for hit in (await search(LATER, scope, limit=10)).hits}


async def test_a_tool_that_served_similar_requests_comes_first(server: MCPTool, assistant: Assistant) -> None:
    before = await found(server, assistant.pk)
    assert {hit.why.boost for hit in before.values()} == {0}
    second = list(before)[1]
    await give_feedback(of(assistant), [(server.pk, second)], *REQUESTS)
    after = await found(server, assistant.pk)
    assert next(iter(after)) == second
    assert 0 < after[second].why.boost <= 0.05
    assert after[second].score == pytest.approx(before[second].score + after[second].why.boost)
    assert {hit.why.boost for name, hit in after.items() if name != second} == {0}


async def test_feedback_of_one_assistant_boosts_nothing_for_another(
    server: MCPTool, assistant: Assistant
) -> None:
    await give_feedback(of(assistant), [(server.pk, "contacts_south")], *REQUESTS)
    for used_by in (None, assistant.pk + 1):
        assert {hit.why.boost for hit in (await found(server, used_by)).values()} == {0}


async def test_the_boost_is_bounded_however_often_a_tool_was_used(
    server: MCPTool, assistant: Assistant
) -> None:
    await give_feedback(of(assistant), [(server.pk, "send_mail")], *[LATER] * 200)
    assert 0.04 < (await found(server, assistant.pk))["send_mail"].why.boost <= 0.05


@pytest.mark.parametrize(
    "changes", [{"selection": "all"}, {"learns": False}], ids=["all of its tools", "switched off"]
)
async def test_an_assistant_that_selects_nothing_or_may_not_learn_records_nothing(
    server: MCPTool, assistant: Assistant, changes: dict[str, Any]
) -> None:
    await give_feedback(of(assistant, **changes), [(server.pk, "contacts_south")], *REQUESTS)
    assert not await FunctionUse.objects.aexists()


async def test_only_the_sum_of_request_vectors_is_stored(server: MCPTool, assistant: Assistant) -> None:
    await give_feedback(of(assistant), [(server.pk, "contacts_south")], *REQUESTS)
    row = await FunctionUse.objects.aget()
    active = embedder.active()
    assert active is not None
    assert (row.used_by, row.uses, row.embedder) == (assistant.pk, 3, active.name)
    vectors = await active.embed_query([read_as(request) for request in REQUESTS])
    summed = [sum(values) for values in zip(*vectors, strict=True)]
    assert [float(value) for value in row.requests] == pytest.approx(summed, abs=1e-4)


async def test_a_run_without_text_or_without_a_successful_call_records_nothing(
    server: MCPTool, assistant: Assistant
) -> None:
    await give_feedback(of(assistant), [], *REQUESTS)
    await give_feedback(of(assistant), [(server.pk, "contacts_south")], "", "   ")
    assert not await FunctionUse.objects.aexists()


async def test_when_the_embedder_fails_the_feedback_is_dropped(
    server: MCPTool, assistant: Assistant, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = "http://127.0.0.1:9/v1", "gone"
    await give_feedback(of(assistant), [(server.pk, "contacts_south")], *REQUESTS)
    assert "What 3 runs used is not learned from" in caplog.text
    assert not await FunctionUse.objects.aexists()


@pytest.mark.parametrize("how", ["switched off", "deleted"])
async def test_feedback_is_deleted(server: MCPTool, assistant: Assistant, how: str) -> None:
    await give_feedback(of(assistant), [(server.pk, "contacts_south")], *REQUESTS)
    assert await FunctionUse.objects.filter(used_by=assistant.pk).aexists()
    if how == "deleted":
        await sync_to_async(actions.delete)(assistant, by=BY)
    else:
        await sync_to_async(actions.update)(assistant, by=BY, learns=False)
    assert not await FunctionUse.objects.aexists()
