"""A response in the background that waits for approval: no worker is held, and any of them goes on."""

from typing import Any

import openai

from assistants.models import Approver, StoredResponse
from tests.assistants.openai_api.approvals.conftest import ECHO, World
from tests.assistants.openai_api.responses.test_background import ended
from tests.stack import wait_for

USAGE = {"usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}


def begin(client: openai.OpenAI, world: World, **fields: Any) -> Any:
    return client.responses.create(model=world.model, input="Say hi.", background=True, **fields)


def waits(world: World, response_id: str) -> bool:
    with world.stack.database():
        rows = StoredResponse.objects.filter(response_id=response_id, status="queued", lease_until=None)
        return rows.exclude(awaits=None).exists()


def test_it_waits_without_a_worker_and_goes_on_after_its_restart(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.STAFF)
    world.script({"text": "Well.", "tool_calls": [ECHO], **USAGE}, {"text": "Said.", **USAGE})
    response = begin(client, world)
    approval = world.asked()
    wait_for(lambda: waits(world, response.id), within_s=20)
    shown = client.responses.retrieve(response.id)
    assert (shown.status, shown.output_text) == ("queued", "Well.")
    worker = world.stack.process("default")
    worker.ask_to_stop()
    worker.stop(timeout_s=15)
    world.stack.start_process("default")
    world.approve(approval)
    done = ended(client, response.id, within_s=60)
    assert (done.status, done.output_text) == ("completed", "Well.Said.")
    assert [item.type for item in done.output] == ["mcp_list_tools", "message", "mcp_call", "message"]
    [call] = [item for item in done.output if item.type == "mcp_call"]
    assert (call.status, call.output) == ("completed", '{"say": "hi"}')
    assert (world.calls, world.results()) == ([{"say": "hi"}], ['{"say": "hi"}'])
    assert done.usage
    assert done.usage.total_tokens == 24


def test_its_stream_goes_on_with_the_next_numbers(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.STAFF)
    again = {"name": "asked__echo", "arguments": {"say": "again"}}
    world.script({"tool_calls": [ECHO]}, {"tool_calls": [again]}, {"text": "Said."})
    events = []
    for event in begin(client, world, stream=True):
        events.append(event)
        if event.type == "response.mcp_call_arguments.done":
            world.approve(world.asked())
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert [item.status for item in events[-1].response.output if item.type == "mcp_call"] == [
        "completed"
    ] * 2
    assert world.calls == [{"say": "hi"}, {"say": "again"}]


def test_a_rejected_call_fails_and_the_answer_goes_on(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.STAFF)
    world.script({"tool_calls": [ECHO]}, {"text": "Then not."})
    response = begin(client, world)
    approval = world.asked()
    wait_for(lambda: waits(world, response.id), within_s=20)
    world.reject(approval, "No.")
    done = ended(client, response.id, within_s=60)
    assert (done.output_text, world.calls) == ("Then not.", [])
    assert [item.status for item in done.output if item.type == "mcp_call"] == ["failed"]


def test_one_that_waits_can_be_cancelled(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.STAFF)
    world.script({"tool_calls": [ECHO]})
    response = begin(client, world)
    world.asked()
    wait_for(lambda: waits(world, response.id), within_s=20)
    assert client.responses.cancel(response.id).status == "cancelled"


def test_what_the_caller_decides_ends_the_response(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.CALLER)
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    first = ended(client, begin(client, world).id)
    [request] = [item for item in first.output if item.type == "mcp_approval_request"]
    decision: Any = {
        "type": "mcp_approval_response",
        "approval_request_id": request.id,
        "approve": True,
    }
    begun = client.responses.create(
        model=world.model, input=[decision], previous_response_id=first.id, background=True
    )
    assert ended(client, begun.id).output_text == "Said."
    assert world.calls == [{"say": "hi"}]
