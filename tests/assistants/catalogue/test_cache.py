import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings

from apikeys import actions as key_actions
from apikeys.authentication import Principal, authenticate
from assistants import actions, catalogue
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import ModelNotFound
from assistants.models import Assistant, AssistantTool
from core import feed
from core.actor import Actor
from tools import actions as tool_actions
from tools.functions import catalogue as tool_catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
CANARY = "sk-canary-77"


@pytest.fixture(autouse=True)
async def listening() -> AsyncIterator[None]:
    async with feed.listening():
        yield


@sync_to_async
def create(name: str = "Helper", **fields: Any) -> Assistant:
    return actions.create(by=BY, name=name, **fields)


@sync_to_async
def register(name: str, *functions: str) -> MCPTool:
    server = tool_actions.register(by=BY, name=name, connection_type="stdio", command="uvx")
    schema = {"type": "object", "properties": {}}
    tool_catalogue.record(server.pk, [{"name": each, "inputSchema": schema} for each in functions])
    return server


async def principal(*assistants: Assistant, name: str = "alice") -> Principal:
    """Returns the principal of a new key that may call these assistants."""
    issued = await sync_to_async(key_actions.issue)(by=BY, name=name)
    for assistant in assistants:
        await sync_to_async(actions.grant)(assistant, issued.api_key)
    return await authenticate(f"Bearer {issued.key}")


async def soon(condition: Any) -> None:
    """Waits until the change feed has emptied the caches."""
    for _ in range(100):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within 2 s")


async def test_an_entry_holds_all_that_a_run_needs(settings: LazySettings) -> None:
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = "http://llm/v1", CANARY
    time, maps = await register("Time", "now", "convert"), await register("Maps", "find")
    assistant = await create(
        system_prompt="You help.",
        tools=[time, maps],
        parameters={"temperature": 0},
        model="tiny",
        max_rounds=3,
    )
    alice = await principal(assistant)
    entry = await catalogue.find("helper", alice)
    assert (entry.id, entry.slug, entry.name) == (assistant.pk, "helper", "Helper")
    assert entry.created == int(assistant.created_at.timestamp())
    assert (entry.system_prompt, entry.parameters, entry.max_rounds) == ("You help.", {"temperature": 0}, 3)
    assert entry.endpoint == Endpoint("http://llm/v1", CANARY, "tiny")
    assert entry.api_key_ids == {alice.id}
    assert [server.slug for server in entry.servers] == ["maps", "time"]
    assert [each.public_name for each in entry.functions] == ["maps__find", "time__convert", "time__now"]
    first = entry.functions[0]
    assert (first.server_id, first.server_name, first.name) == (maps.pk, "Maps", "find")
    assert first.timeout_s == 60
    assert CANARY not in repr(entry)


async def test_a_function_has_what_mcp_clients_see() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    told = {"title": "Scales", "annotations": {"readOnlyHint": True}, "outputSchema": schema}
    server = await register("Shop", "plain")
    offered = [{"name": "plain", "inputSchema": schema}, {"name": "told", "inputSchema": schema, **told}]
    await sync_to_async(tool_catalogue.record)(server.pk, offered)
    entry = await catalogue.find("helper", await principal(await create(tools=[server])))
    plain, other = entry.functions
    assert (plain.title, plain.annotations, plain.output_schema) == ("", {}, None)
    assert (other.title, other.annotations, other.output_schema) == (
        "Scales",
        {"readOnlyHint": True},
        schema,
    )
    assert entry.servers[0].timeout_s == 60


async def test_a_provider_of_its_own_comes_before_the_environments() -> None:
    provider = await sync_to_async(actions.add_provider)(
        by=BY, name="Local", base_url="http://llm/v1/", api_key=CANARY, default_model="big"
    )
    entry = await catalogue.find("helper", await principal(await create(provider=provider)))
    assert entry.endpoint == Endpoint("http://llm/v1", CANARY, "big")


async def test_an_entry_has_the_fallback_provider() -> None:
    provider = await sync_to_async(actions.add_provider)(
        by=BY, name="Claude", kind="anthropic", api_key=CANARY, default_model="claude"
    )
    entry = await catalogue.find("helper", await principal(await create(fallback_provider=provider)))
    assert entry.endpoint.kind == "openai"
    assert entry.fallback == Endpoint("", CANARY, "claude", "anthropic")


async def test_unknown_disabled_and_foreign_assistants_cannot_be_told_apart() -> None:
    await create("Foreign")
    mine = await create("Off", is_enabled=False)
    alice = await principal(mine)
    refusals = []
    for slug in ("unknown", "foreign", "off", "", "x" * 10_000, "../off", "nul\0", "OFF"):
        with pytest.raises(ModelNotFound) as refusal:
            await catalogue.find(slug, alice)
        refusals.append((refusal.value.status_code, str(refusal.value.detail), refusal.value.get_codes()))
    assert set(refusals) == {
        (404, "The model does not exist, or this API key may not call it.", "model_not_found")
    }


async def test_a_key_is_listed_the_assistants_that_it_may_call() -> None:
    first, second, _ = await create("B"), await create("A"), await create("C")
    await create("Off", is_enabled=False)
    assert [each.slug for each in await catalogue.callable_by(await principal(first, second))] == ["a", "b"]
    assert await catalogue.callable_by(await principal(name="bob")) == ()


async def test_an_unchanged_assistant_is_served_from_memory() -> None:
    alice = await principal(await create())

    async def is_the_same() -> bool:
        first = await catalogue.find("helper", alice), await catalogue.callable_by(alice)
        second = await catalogue.find("helper", alice), await catalogue.callable_by(alice)
        return first[0] is second[0] and first[1] is second[1]

    # Not at the first try: the notification of the grant may arrive between the two.
    await soon(is_the_same)


async def test_a_revoked_grant_takes_hold_at_once() -> None:
    assistant = await create()
    alice = await principal(assistant)
    await catalogue.find("helper", alice)
    await sync_to_async(assistant.api_keys.clear)()

    async def is_refused() -> bool:
        try:
            await catalogue.find("helper", alice)
        except ModelNotFound:
            return True
        return False

    await soon(is_refused)


async def test_a_new_prompt_takes_hold_at_once() -> None:
    assistant = await create()
    alice = await principal(assistant)
    await catalogue.find("helper", alice)
    await sync_to_async(actions.update)(assistant, by=BY, system_prompt="New.")

    async def is_new() -> bool:
        return (await catalogue.find("helper", alice)).system_prompt == "New."

    await soon(is_new)


async def test_a_new_call_time_out_of_a_server_takes_hold_at_once() -> None:
    server = await register("Time", "now")
    alice = await principal(await create(tools=[server]))
    await catalogue.find("helper", alice)
    await sync_to_async(tool_actions.update)(server, by=BY, call_timeout_s=7)

    async def is_new() -> bool:
        return (await catalogue.find("helper", alice)).functions[0].timeout_s == 7

    await soon(is_new)


async def test_an_alias_works_at_once_and_for_the_same_keys() -> None:
    assistant = await create()
    alice, bob = await principal(assistant), await principal(name="bob")
    with pytest.raises(ModelNotFound):
        await catalogue.find("gpt-4.1-mini", alice)
    await sync_to_async(actions.update)(assistant, by=BY, aliases=["gpt-4.1-mini"])

    async def is_found() -> bool:
        try:
            return (await catalogue.find("gpt-4.1-mini", alice)).slug == "helper"
        except ModelNotFound:
            return False

    await soon(is_found)
    with pytest.raises(ModelNotFound):
        await catalogue.find("gpt-4.1-mini", bob)


async def test_only_chosen_and_offered_functions_count() -> None:
    time, gone = await register("Time", "now", "convert", "old"), await register("Gone", "x")
    assistant = await create(tools=[time, gone])

    def arrange() -> None:
        AssistantTool.objects.filter(mcp_tool=time).update(functions=["now", "old"])
        ToolFunction.objects.filter(name="old").update(is_enabled=False)
        ToolFunction.objects.filter(name="now").update(overrides={"description": "Better"})
        tool_actions.delete(gone, by=BY, force=True)

    await sync_to_async(arrange)()
    entry = await catalogue.find("helper", await principal(assistant))
    [function] = entry.functions
    assert (function.name, function.description) == ("now", "Better")
    assert [server.slug for server in entry.servers] == ["time"]


async def test_a_server_without_functions_is_still_one_of_its_servers() -> None:
    assistant = await create(tools=[await register("Broken")])
    entry = await catalogue.find("helper", await principal(assistant))
    assert ([server.name for server in entry.servers], entry.functions) == (["Broken"], ())
