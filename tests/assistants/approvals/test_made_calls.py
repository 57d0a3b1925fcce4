"""What came of an approved call is on record in the run that asked, whether worker or recorder comes last."""

from typing import Any

import pytest
from django.utils import timezone

from assistants import actions
from assistants.approvals import claims, outcome
from assistants.models import Approval, RunStatus, ToolCall
from assistants.recording.records import CallRecord, Origin, RunRecord
from assistants.recording.rows import write
from tests.assistants.approvals.world import World, approve, working, world
from tests.connector.conftest import BY, orm, servers, supervise

__all__ = ["servers", "supervise", "world"]
pytestmark = pytest.mark.django_db(transaction=True)


@orm
def record(world: World, number: int, error: str = "approval_pending", **fields: Any) -> None:
    """Records the run that asked, which has ended."""
    asker = world.asker
    call = CallRecord(
        world.server.pk, "Fake", "echo", ToolCall.Status.ERROR, 60_000, error, 3, approval=number, **fields
    )
    origin = Origin(asker.principal, "req_1", run_id=asker.run_id)
    assistant = world.assistant
    ended = RunRecord(
        origin, assistant.pk, assistant.slug, "m", timezone.now(), RunStatus.COMPLETED, calls=(call,)
    )
    write([ended])


async def recorded() -> ToolCall:
    return await orm(ToolCall.objects.get)()


@pytest.mark.parametrize("is_recorded_first", [True, False])
async def test_the_one_who_comes_last_records_it(world: World, is_recorded_first: bool) -> None:
    number = await world.ask(word="hello")
    if is_recorded_first:
        await record(world, number)
    async with working():
        await approve(number)
        assert await outcome(number, wait_s=20)
    if not is_recorded_first:
        await record(world, number)
    row = await recorded()
    assert (row.status, row.error, row.result_size, row.approval) == (
        "ok",
        "",
        len('{"word": "hello"}'),
        number,
    )
    assert (row.arguments, row.result) == (None, None)
    assert ((row.duration_ms or 0) < 60_000) == is_recorded_first
    await record(world, number)  # written again, as after a killed process
    assert (await recorded()).status == "ok"


async def test_bodies_are_recorded_where_the_assistant_says_so(world: World) -> None:
    await orm(actions.update)(world.assistant, by=BY, store_bodies=True)
    number = await world.ask(word="hello")
    await record(world, number, arguments={"word": "hello"})
    async with working():
        await approve(number, arguments={"word": "bye"})
        assert await outcome(number, wait_s=20)
    row = await recorded()
    assert (row.arguments, row.result) == ({"word": "bye"}, '{"word": "bye"}')


async def test_a_lost_call_is_recorded_as_such(world: World) -> None:
    number = await world.ask(word="hello")
    await record(world, number)
    await approve(number)
    claim = await claims.claim(number)
    assert claim is not None
    await claims.lose(claim, "lost.")
    row = await recorded()
    assert (row.status, row.error) == ("error", "unknown_outcome")


async def test_what_the_run_has_recorded_itself_stays(world: World) -> None:
    number = await world.ask(word="hello")
    await record(world, number, error="tool_error")
    async with working():
        await approve(number)
        assert await outcome(number, wait_s=20)
    assert ((await recorded()).error, await orm(Approval.objects.count)()) == ("tool_error", 1)
