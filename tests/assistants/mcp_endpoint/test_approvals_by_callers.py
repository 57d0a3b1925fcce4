"""Calls whose caller decides itself: the person at an MCP client, of either era, is shown a form."""

import asyncio
from typing import Any

import pytest
from mcp.client.context import ClientRequestContext
from mcp.types import ElicitResult

from assistants.models import ApprovalState
from tests.assistants.mcp_endpoint.clients import ERAS, connected
from tests.assistants.mcp_endpoint.till import Till

ASKED: list[str] = []
REJECTED = {"action": "accept", "content": {"decision": "reject", "reason": "Wrong one."}}


def answering(**answer: Any) -> dict[str, Any]:
    async def elicited(_: ClientRequestContext, params: Any) -> ElicitResult:
        ASKED.append(params.message)
        return ElicitResult(**answer)

    return {"elicitation_callback": elicited}


@pytest.mark.parametrize("era", ERAS)
async def test_the_person_at_the_client_agrees(till: Till, era: str) -> None:
    ASKED.clear()
    to = f"caller-{era}"
    yes = answering(action="accept", content={"decision": "approve"})
    async with connected(till.url + till.path, till.key.key, era=era, **yes) as client:
        result = await client.call_tool(till.tool, {"to": to})
    assert not result.is_error
    assert result.structured_content == {"a": [1]}
    assert till.payments(to) == 1
    [asked] = ASKED
    assert asked.startswith("till: The tool pay is to be called")
    assert f'"to": "{to}"' in asked


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "no",
    [{"action": "accept", "content": {"decision": "reject", "reason": "Wrong one."}}, {"action": "decline"}],
)
async def test_the_person_at_the_client_refuses(till: Till, era: str, no: dict[str, Any]) -> None:
    to = f"caller-{no['action']}-{era}"
    async with connected(till.url + till.path, till.key.key, era=era, **answering(**no)) as client:
        result = await client.call_tool(till.tool, {"to": to})
    assert result.is_error
    said = result.content[0].text  # type: ignore[union-attr]
    assert "rejected" in said
    assert ("Wrong one." in said) == ("content" in no)
    assert till.payments(to) == 0
    await asyncio.to_thread(till.wait_for_state, to, ApprovalState.REJECTED)


@pytest.mark.parametrize("era", ERAS)
async def test_where_the_client_cannot_be_asked_staff_decide(till: Till, era: str) -> None:
    to = f"caller-mute-{era}"
    async with connected(till.url + till.path, till.key.key, era=era) as client:
        told = await client.call_tool(till.tool, {"to": to})
        assert "cannot be asked: staff decide instead" in told.content[0].text  # type: ignore[union-attr]
        await till.decided(to)
        await asyncio.to_thread(till.wait_for_state, to, ApprovalState.DONE)
        result = await client.call_tool(till.tool, {"to": to})
    assert not result.is_error
    assert till.payments(to) == 1
