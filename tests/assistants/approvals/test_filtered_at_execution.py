"""What the external filter makes of an approved call is judged as in the gate: nobody has seen it."""

from typing import Any

import pytest

from assistants.actions import approvals
from assistants.approvals import Failure, Result, execution, outcome, standing
from assistants.approvals.gate import UNFITTING
from assistants.models import Approval, Approver, Effect, Rule
from tests.assistants.approvals.world import World, approve, row, working, world
from tests.connector.conftest import orm, servers, supervise
from tools.models import ToolFunction

__all__ = ["servers", "supervise", "world"]
pytestmark = pytest.mark.django_db(transaction=True)

EVE = {"expression": "call.arguments.word == 'eve'"}


@pytest.fixture(autouse=True)
def replaced(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the filter makes of each call's arguments."""
    arguments: dict[str, Any] = {"word": "eve"}

    async def replaces(*_: Any) -> dict[str, Any]:
        return dict(arguments)

    monkeypatch.setattr(execution, "filter_call", replaces)
    return arguments


async def _made(world: World) -> Any:
    async with working():
        number = await world.ask(word="hello")
        await approve(number, arguments={"word": "bob"})
        return await outcome(number, wait_s=20)


async def test_what_the_rules_allow_is_called(world: World) -> None:
    assert isinstance(await _made(world), Result)
    assert world.made == [{"word": "eve"}]


async def test_what_the_rules_deny_is_not_called_and_the_model_is_told(world: World) -> None:
    await orm(Rule.objects.create)(name="Eve", effect=Effect.DENY, reason="Not Eve.", conditions=EVE)
    found = await _made(world)
    assert isinstance(found, Failure)
    assert (found.code, world.made) == ("denied_by_rule", [])
    assert "Not Eve." in found.message


async def test_what_does_not_fit_the_tool_is_not_called(world: World, replaced: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"word": {"type": "string"}}}
    await orm(ToolFunction.objects.filter(name="echo").update)(input_schema=schema)
    replaced["word"] = ["eve"]
    assert (await _made(world), world.made) == (Failure("denied_by_filter", UNFITTING), [])


async def test_what_staff_must_decide_is_not_called_by_the_callers_yes(world: World) -> None:
    await orm(Rule.objects.create)(name="Eve", effect=Effect.ASK, approver=Approver.STAFF, conditions=EVE)
    async with working():
        number = await world.ask(word="hello")
        await orm(Approval.objects.update)(approver=Approver.CALLER)
        await orm(approvals.decide_by_caller)(await row(number), by=world.asker.actor, approves=True)
        found = await outcome(number, wait_s=20)
    assert (found, world.made) == (Failure("denied_by_rule", standing.FILTERED), [])
