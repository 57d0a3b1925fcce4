"""Calls that rules forbid or want staff to agree to, as clients of either era see them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from apikeys import actions as key_actions
from assistants.models import ApprovalState, Assistant
from core.errors import Conflict
from tests.assistants.mcp_endpoint.clients import ERAS, Caller, connected
from tests.assistants.mcp_endpoint.events import posted
from tests.assistants.mcp_endpoint.till import Till
from tests.stack import BY, Stack, wait_for

Callers = Callable[..., Caller]


def payment(till: Till, to: str) -> dict[str, Any]:
    return {"name": till.tool, "arguments": {"to": to}, "_meta": {"progressToken": 7}}


@pytest.mark.parametrize("era", ERAS)
async def test_a_held_call_has_the_very_result_of_a_direct_one(till: Till, era: str) -> None:
    reports: list[str | None] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        reports.append(message)

    to = f"staff-{era}"
    async with connected(till.url + till.path, till.key.key, era=era) as client:
        direct = await client.call_tool(till.tool, {"to": f"ann-{era}"})
        paying = asyncio.create_task(client.call_tool(till.tool, {"to": to}, progress_callback=report))
        while not reports:
            await asyncio.sleep(0.05)
        assert till.payments(to) == 0
        await till.decided(to)
        held = await paying
    assert held == direct
    assert held.structured_content == {"a": [1]}
    assert held.meta == {"example/x": 1}
    assert [block.type for block in held.content] == ["text", "image"]
    assert (till.payments(to), till.payments(f"ann-{era}")) == (1, 1)
    assert "Waiting for approval " in str(reports[0])


@pytest.mark.parametrize("era", ERAS)
async def test_a_rejected_call_is_a_result_that_the_model_reads(till: Till, era: str) -> None:
    to = f"staff-rejected-{era}"
    async with connected(till.url + till.path, till.key.key, era=era) as client:
        paying = asyncio.create_task(client.call_tool(till.tool, {"to": to}))
        await till.decided(to, approves=False, reason="Not this one.")
        result = await paying
    assert result.is_error
    assert "Not this one." in result.content[0].text  # type: ignore[union-attr]
    assert till.payments(to) == 0


@pytest.mark.parametrize("era", ERAS)
async def test_a_rule_that_forbids_a_call_says_why(till: Till, era: str) -> None:
    async with connected(till.url + till.path, till.key.key, era=era) as client:
        result = await client.call_tool(till.tool, {"to": "nobody-at-all"})
    assert result.is_error
    assert "Nobody pays nobody." in result.content[0].text  # type: ignore[union-attr]


@pytest.mark.parametrize("era", ERAS)
async def test_after_the_hold_an_equal_call_gets_the_result_in_any_process(till: Till, era: str) -> None:
    to = f"staff-later-{era}"
    async with connected(till.impatient + till.path, till.key.key, era=era) as client:
        told = await client.call_tool(till.tool, {"to": to})
        again = await client.call_tool(till.tool, {"to": to})
    assert told.is_error
    text = told.content[0].text  # type: ignore[union-attr]
    assert "waits for approval " in text
    assert "/admin/assistants/approval/" in text
    assert "the same arguments" in text
    assert again == told
    async with connected(till.url + till.path, till.key.key, era=era) as client:
        joining = [asyncio.create_task(client.call_tool(till.tool, {"to": to})) for _ in range(3)]
        await till.decided(to)
        results = [await each for each in joining]
    assert not any(each.is_error for each in results)
    assert till.payments(to) == 1
    async with connected(till.impatient + till.path, till.key.key, era=era) as client:
        anew = await client.call_tool(till.tool, {"to": to})  # the outcome was told: this is another payment
    assert anew.is_error
    assert till.payments(to) == 1


def test_without_a_token_the_stream_is_kept_alive_by_comments(till: Till, caller: Callers) -> None:
    client = caller(till.path, key=till.key.key)
    client.initialize()
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": payment(till, "staff-quiet")}
    del message["params"]["_meta"]  # type: ignore[attr-defined]
    with client.http.stream("POST", client.url, json=message) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        till.decide("staff-quiet")
        assert any('"paid"' in line for line in lines)


@pytest.mark.parametrize("how", ["leaves", "cancels"])
def test_what_waits_stays_when_its_client_gives_up(till: Till, caller: Callers, how: str) -> None:
    to = f"staff-{how}"
    client, other = (caller(till.path, key=till.key.key) for _ in range(2))
    client.initialize()
    other.initialize()
    with posted(client, {"method": "tools/call", "params": payment(till, to)}) as events:
        events.until("notifications/progress")
        if how == "cancels":
            client.post({"method": "notifications/cancelled", "params": {"requestId": 1}})
            assert events.next() is None
    assert till.state(to) == ApprovalState.WAITING
    till.decide(to)
    till.wait_for_state(to, ApprovalState.DONE)
    answer = other.request("tools/call", **payment(till, to)).text
    assert '"paid"' in answer
    assert till.payments(to) == 1


def test_a_key_that_is_revoked_ends_the_hold_and_what_waits_is_not_made(
    stack: Stack, till: Till, caller: Callers
) -> None:
    key = stack.key("Revoked at the till")
    with stack.database():
        Assistant.objects.get(slug=till.slug).api_keys.add(key.api_key)
    client = caller(till.path, key=key.key)
    wait_for(lambda: client.initialize().status_code == 200, within_s=10)
    with posted(client, {"method": "tools/call", "params": payment(till, "staff-revoked")}) as events:
        events.until("notifications/progress")
        with stack.database():
            key_actions.update(key.api_key, by=BY, is_disabled=True)
        last = events.next()
    assert last is not None
    assert "error" in last
    with pytest.raises(Conflict):
        till.decide("staff-revoked")
    assert till.payments("staff-revoked") == 0
