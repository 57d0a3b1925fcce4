"""Runs whose LLM service refuses the definition of a tool: they go on without it."""

import asyncio
import json
import logging
from typing import Any

import pytest
from django.utils import timezone

from assistants.catalogue.entries import ServerEntry
from assistants.errors import UpstreamRefused
from assistants.events import Finished
from tests.assistants.agent.conftest import Assistant, client_tool, function, text
from tests.connector.conftest import BY, orm
from tools import actions
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db(transaction=True)
SERVER = ServerEntry(1, "Calculator", "calc")


def refusal(name: str) -> dict[str, Any]:
    error = {"message": f"Invalid schema for function '{name}': no.", "type": "invalid_request_error"}
    return {"status": 400, "body": json.dumps({"error": error})}


def tools(*names: str) -> dict[str, Any]:
    return {"functions": tuple(function(name, server=SERVER) for name in names)}


def offered(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body.get("tools", ())]


async def test_a_refused_tool_is_left_out_and_named(
    assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    assistant.script(refusal("calc__odd"), {"text": "Hello."})
    events = await assistant.events(**tools("add", "odd"))
    assert text(events) == "Hello."
    assert [offered(body) for body in assistant.bodies()] == [["calc__add", "calc__odd"], ["calc__add"]]
    [missing] = next(event for event in events if isinstance(event, Finished)).unavailable
    assert missing.server == "Calculator"
    assert "calc__odd" in missing.reason
    assert any(
        record.levelno == logging.WARNING and "calc__odd" in record.message for record in caplog.records
    )


async def test_the_next_run_does_not_ask_again_and_still_tells(assistant: Assistant) -> None:
    assistant.script(refusal("calc__odd"), {"text": "One."}, {"text": "Two."})
    await assistant.events(**tools("add", "odd"))
    events = await assistant.events(**tools("add", "odd"))
    assert text(events) == "Two."
    assert offered(assistant.bodies()[-1]) == ["calc__add"]
    assert len(next(event for event in events if isinstance(event, Finished)).unavailable) == 1


async def test_a_changed_definition_is_tried_again(assistant: Assistant) -> None:
    assistant.script(refusal("calc__odd"), {"text": "One."}, {"text": "Two."})
    await assistant.events(**tools("odd"))
    await assistant.events(functions=(function("odd", server=SERVER, description="Mended"),))
    assert [offered(body) for body in assistant.bodies()] == [["calc__odd"], [], ["calc__odd"]]


async def test_the_retries_are_bounded(assistant: Assistant) -> None:
    names = [f"odd{number}" for number in range(12)]
    assistant.script(*(refusal(f"calc__{name}") for name in names))
    with pytest.raises(UpstreamRefused):
        await assistant.events(**tools(*names))
    assert len(assistant.bodies()) == 9


async def test_a_forced_tool_that_is_refused_is_forced_no_more(assistant: Assistant) -> None:
    assistant.script(refusal("calc__odd"), {"text": "Hello."})
    choice = {"type": "function", "function": {"name": "calc__odd"}}
    await assistant.events(**tools("add", "odd"), tool_choice=choice)
    assert "tool_choice" not in assistant.bodies()[1]


async def test_the_refusal_of_a_callers_tool_is_the_callers(assistant: Assistant) -> None:
    assistant.script(refusal("mine"))
    with pytest.raises(UpstreamRefused, match="'mine'") as refused:
        await assistant.events(**tools("add"), client_tools=[client_tool("mine")])
    assert (refused.value.code, refused.value.param) == ("invalid_function_parameters", "tools")
    assert len(assistant.bodies()) == 1


async def test_staff_see_it_at_the_tool_and_at_its_server(assistant: Assistant) -> None:
    server: MCPTool = await orm(actions.register)(
        by=BY, name="Calculator", connection_type="stdio", command="python", is_enabled=False
    )
    await orm(catalogue.record)(server.pk, [{"name": "odd", "inputSchema": {"type": "object"}}])
    assistant.script(refusal("calc__odd"), {"text": "Hello."})
    await assistant.events(functions=(function("odd", server=ServerEntry(server.pk, "Calculator", "calc")),))
    row = await _noted(server)
    assert row.present_refusal == {"model": assistant.conversation, "at": row.refusal["at"]}  # type: ignore[index]
    assert row.refusal["at"][:10] == timezone.now().date().isoformat()  # type: ignore[index]
    counted = MCPTool.objects.with_function_count().with_refused_tools()
    [warning] = (await orm(counted.get)(pk=server.pk)).warnings
    assert "odd" in warning
    await orm(catalogue.record)(
        server.pk, [{"name": "odd", "description": "x", "inputSchema": {"type": "object"}}]
    )
    assert (await orm(counted.get)(pk=server.pk)).warnings == []


async def _noted(server: MCPTool) -> ToolFunction:
    async with asyncio.timeout(10):
        while True:
            row: ToolFunction = await orm(ToolFunction.objects.get)(server=server)
            if row.refusal:
                return row
            await asyncio.sleep(0.05)
