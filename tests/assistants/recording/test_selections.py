"""The selection of tools on a run's record, and the tools of a session that its next selection prefers."""

from contextlib import aclosing
from dataclasses import replace

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from apikeys.authentication import Principal
from assistants.agent import RunRequest
from assistants.errors import UpstreamFailed
from assistants.events import Candidate, Reason, ToolsSelected
from assistants.models import Run, RunStatus, ToolCall
from assistants.openai_api.pipeline import observed_run
from assistants.recording import Origin, selections, serialization, session_tools
from assistants.recording.records import CallRecord, RunRecord
from assistants.recording.rows import write
from assistants.recording.trace import Trace
from tests.assistants.agent.conftest import Assistant, agent, assistant
from tests.assistants.recording.test_rows import alice, complete, principal, recording_runs
from tests.assistants.recording.test_trace import ALICE
from tests.assistants.selection.conftest import ScriptedSearch, found, functions, selecting

__all__ = ["agent", "alice", "assistant", "found"]
CHOSEN = ToolsSelected("retrieved", "tiny", "", 2, 0.5, 4000, 90, 900, ())


def candidate(
    name: str, score: float | None = None, *, chosen: bool = True, reason: Reason = "ranked"
) -> Candidate:
    return Candidate(name, reason, score, chosen)


def test_a_selection_is_stored_in_the_order_of_its_scores() -> None:
    candidates = (candidate("pin", reason="pinned"), candidate("b", 0.51234567), candidate("a", 0.9))
    assert selections.as_json(replace(CHOSEN, candidates=candidates)) == {
        "mode": "retrieved",
        "embedder": "tiny",
        "degraded": "",
        "k": 2,
        "cutoff": 0.5,
        "budget": 4000,
        "tokens": 90,
        "tokens_all": 900,
        "candidates": [
            {"public_name": "a", "reason": "ranked", "score": 0.9, "chosen": True},
            {"public_name": "b", "reason": "ranked", "score": 0.5123, "chosen": True},
            {"public_name": "pin", "reason": "pinned", "score": None, "chosen": True},
        ],
    }


def test_a_stored_selection_is_bounded_and_has_all_that_was_selected() -> None:
    many = tuple(candidate(f"f{number}", 1 - number / 1000, chosen=number > 90) for number in range(100))
    stored = selections.as_json(replace(CHOSEN, candidates=many))["candidates"]
    assert [each["public_name"] for each in stored] == [
        f"f{number}" for number in [*range(50), *range(91, 100)]
    ]
    everything = tuple(candidate(f"f{number}") for number in range(1000))
    assert len(selections.as_json(replace(CHOSEN, candidates=everything))["candidates"]) == selections.MOST


def test_the_selections_of_a_run_become_one() -> None:
    first = replace(CHOSEN, candidates=(candidate("a", 0.9), candidate("b", 0.4, chosen=False)))
    second = replace(
        CHOSEN,
        embedder="",
        degraded="It hangs.",
        cutoff=0.3,
        tokens=50,
        candidates=(candidate("b", 0.7), candidate("a", reason="used"), candidate("c", 0.3)),
    )
    whole = selections.merged(selections.merged(None, first), second)
    assert whole == replace(
        CHOSEN,
        degraded="It hangs.",
        cutoff=0.3,
        candidates=(candidate("a", 0.9), candidate("b", 0.7), candidate("c", 0.3)),
    )


def test_the_outbox_has_the_selection_of_a_killed_process() -> None:
    trace = Trace(RunRequest(selecting(*functions("a")), []), Origin(ALICE, "req_1"))
    trace.add(replace(CHOSEN, candidates=(candidate("time__a", 0.9),)))
    record = trace.ended(RunStatus.COMPLETED, "")
    assert serialization.load(serialization.dump(record)).selection == record.selection
    assert record.selection is not None
    assert record.selection["candidates"][0]["public_name"] == "time__a"


@pytest.mark.django_db(transaction=True)
async def test_the_selection_is_on_the_record_and_no_caller_sees_it(
    assistant: Assistant, alice: Principal, found: ScriptedSearch
) -> None:
    assistant.script({"text": "Hello."}, {"text": "Hello."})
    await complete(assistant.request(selection="retrieved", top_k=3), Origin(alice, "req_1"))
    run = await Run.objects.aget()
    assert run.selection is not None
    assert (run.selection["mode"], run.selection["k"], run.selection["budget"]) == ("retrieved", 3, 4000)
    await complete(assistant.request(), Origin(alice, "req_2"))
    assert (await Run.objects.aget(request_id="req_2")).selection is None


@pytest.mark.django_db(transaction=True)
async def test_a_selection_is_not_taken_for_the_beginning_of_an_answer(
    assistant: Assistant, alice: Principal, found: ScriptedSearch
) -> None:
    """The selection comes first; a failure after it must still be raised before any event."""
    assistant.script({"status": 401, "body": "no"})
    request = assistant.request(selection="retrieved")
    async with recording_runs(), aclosing(observed_run(request, Origin(alice, "req_1"))) as events:
        with pytest.raises(UpstreamFailed):
            await anext(events)


# --- sessions ---

ENTRY = selecting(*functions(*"abc"))


def record(origin: Origin, *called: str, assistant_id: int = ENTRY.id) -> RunRecord:
    calls = tuple(CallRecord(1, "Time", name, ToolCall.Status.OK) for name in called)
    return RunRecord(
        origin, assistant_id, "helper", "m", timezone.now(), status=RunStatus.COMPLETED, calls=calls
    )


@pytest.mark.django_db(transaction=True)
async def test_the_tools_of_a_session_come_the_latest_first(alice: Principal) -> None:
    bob = await principal("bob")
    await sync_to_async(write)([record(Origin(alice, "r", "chat"), "a", "gone", "b")])
    await sync_to_async(write)([record(Origin(alice, "r", "chat"), "b")])
    await sync_to_async(write)([record(Origin(alice, "r", "chat"), "c", assistant_id=99)])
    await sync_to_async(write)(
        [record(Origin(alice, "r", "other"), "c"), record(Origin(bob, "r", "chat"), "c")]
    )
    assert await session_tools.used(Origin(alice, "r", "chat"), ENTRY) == ["time__b", "time__a"]


@pytest.mark.django_db(transaction=True)
async def test_what_is_not_written_yet_is_remembered(alice: Principal) -> None:
    origin = Origin(alice, "r", "fresh")
    for name in ("time__c", "time__a", "time__c"):
        session_tools.note(origin, ENTRY, name)
    assert await session_tools.used(origin, ENTRY) == ["time__c", "time__a"]
    assert await session_tools.used(Origin(alice, "r", "else"), ENTRY) == []


@pytest.mark.django_db(transaction=True)
async def test_only_assistants_that_select_by_request_read_a_sessions_tools(alice: Principal) -> None:
    origin = Origin(alice, "r", "chat")
    everything = selecting(*functions("a"), selection="all")
    session_tools.note(origin, everything, "time__a")
    await sync_to_async(write)([record(origin, "a")])
    assert await session_tools.used(origin, everything) == []
    assert await session_tools.used(Origin(alice, "r"), ENTRY) == []
