"""Runs become rows: the real loop and writer, a real database, the scripted LLM."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys import limits
from apikeys.actions import IssuedKey
from apikeys.authentication import Principal, authenticate
from apikeys.models import TokenUsage
from assistants import actions, recording
from assistants.agent import RunRequest
from assistants.errors import UpstreamFailed
from assistants.events import TextDelta
from assistants.models import Conversation, Run, RunKind, RunStatus, ToolCall
from assistants.openai_api.pipeline import observed_run
from assistants.recording import Origin, recorder
from assistants.recording.records import CallRecord, RunRecord
from assistants.recording.rows import write
from config.celery import app
from core.actor import Actor
from tests.assistants.agent.conftest import Assistant, agent, assistant

__all__ = ["agent", "assistant"]
pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")


@asynccontextmanager
async def recording_runs() -> AsyncIterator[None]:
    """At its end everything is written."""
    async with limits.lifespan(), recording.lifespan():
        yield


@pytest.fixture
async def alice() -> Principal:
    return await principal("alice")


async def principal(name: str) -> Principal:
    issued: IssuedKey = await sync_to_async(key_actions.issue)(by=BY, name=name)
    return await authenticate(f"Bearer {issued.key}")


async def complete(request: RunRequest, origin: Origin) -> None:
    async with recording_runs(), aclosing(observed_run(request, origin)) as events:
        async for _ in events:
            pass


async def only_run() -> Run:
    return await Run.objects.aget()


async def test_a_run_leaves_one_row_and_its_tokens(assistant: Assistant, alice: Principal) -> None:
    assistant.script({"text": "Hello.", "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
    origin = Origin(alice, "req_1")
    await complete(assistant.request(), origin)
    run = await only_run()
    assert (run.run_id, run.request_id, run.status) == (origin.run_id, "req_1", RunStatus.COMPLETED)
    assert (run.api_key_id, run.api_key_name, run.key_prefix) == (alice.id, "alice", alice.key_prefix)
    assert (run.assistant_slug, run.model) == ("helper", assistant.conversation)
    assert (run.rounds, run.prompt_tokens, run.completion_tokens) == (1, 7, 3)
    assert (run.answer, run.conversation_id) == (None, None)
    assert 0 <= (run.first_token_ms or 0) <= (run.duration_ms or -1)
    assert await TokenUsage.objects.values_list("tokens", flat=True).aget() == 10


@pytest.mark.parametrize("store_bodies", [True, False])
async def test_the_request_is_stored_where_bodies_are(
    assistant: Assistant, alice: Principal, store_bodies: bool
) -> None:
    assistant.script({"text": "Hello."})
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    messages.append({"role": "user", "content": "Tell me all that there is to be known about tides."})
    await complete(assistant.request(messages, store_bodies=store_bodies), Origin(alice, "req_1"))
    run = await only_run()
    assert run.request == (messages[-1]["content"] if store_bodies else None)


async def test_a_run_is_seen_while_it_runs(assistant: Assistant, alice: Principal) -> None:
    assistant.script({"text": "word " * 100, "chunk_delay_s": 0.1})
    async with (
        recording_runs(),
        aclosing(observed_run(assistant.request(), Origin(alice, "req_1"))) as events,
    ):
        await anext(events)
        for _ in range(100):
            if await Run.objects.aexists():
                break
            await asyncio.sleep(0.02)
        assert (await only_run()).status == RunStatus.RUNNING
    assert (await only_run()).status == RunStatus.CANCELLED


async def test_a_caller_who_leaves_leaves_a_cancelled_run_and_pays(
    assistant: Assistant, alice: Principal
) -> None:
    assistant.script({"text": "one two three", "chunk_delay_s": 0.2})
    request = assistant.request("Tell me", store_bodies=True)
    async with recording_runs(), aclosing(observed_run(request, Origin(alice, "req_1"))) as events:
        first = await anext(events)
    run = await only_run()
    assert isinstance(first, TextDelta)
    assert (run.status, run.error, run.answer) == (RunStatus.CANCELLED, "", first.text)
    assert run.completion_tokens > 0
    assert await TokenUsage.objects.values_list("tokens", flat=True).aget() == run.total_tokens


async def test_a_failed_run_has_its_code_and_the_text_so_far(assistant: Assistant, alice: Principal) -> None:
    assistant.script({"text": "Half of the answer", "cut_after": 3})
    with pytest.raises(UpstreamFailed):
        await complete(assistant.request(store_bodies=True), Origin(alice, "req_1"))
    run = await only_run()
    assert (run.status, run.error) == (RunStatus.FAILED, "upstream_error")
    assert run.answer
    assert "Half of the answer".startswith(run.answer)


async def test_sessions_group_the_runs_of_one_key(assistant: Assistant, alice: Principal) -> None:
    assistant.script({"text": "Hello.", "repeat": True})
    bob = await principal("bob")
    for caller, session in ((alice, "chat"), (alice, "chat"), (bob, "chat"), (alice, None)):
        await complete(assistant.request(), Origin(caller, "req_1", session))
    sessions = {each.api_key_id: each.pk async for each in Conversation.objects.all()}
    assert set(sessions) == {alice.id, bob.id}
    assert [run.conversation_id async for run in Run.objects.order_by("pk")] == [
        sessions[alice.id],
        sessions[alice.id],
        sessions[bob.id],
        None,
    ]


async def test_many_runs_at_once_are_written_together(
    assistant: Assistant, alice: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = []

    async def counted(records: Sequence[RunRecord]) -> None:
        batches.append(len(records))
        await sync_to_async(write)(records)

    monkeypatch.setattr(recorder.writer, "_write", counted)
    assistant.script({"text": "Hello.", "repeat": True})
    async with recording_runs(), asyncio.TaskGroup() as tasks:
        for number in range(40):
            tasks.create_task(drain(assistant, Origin(alice, f"req_{number}", f"chat {number % 3}")))
    assert await Run.objects.filter(status=RunStatus.COMPLETED).acount() == 40
    assert await Conversation.objects.acount() == 3
    assert (sum(batches), len(batches) < 10) == (80, True)


async def drain(assistant: Assistant, origin: Origin) -> None:
    async for _ in observed_run(assistant.request(), origin):
        pass


async def test_a_key_that_went_meanwhile_loses_no_run(assistant: Assistant, alice: Principal) -> None:
    assistant.script({"text": "Hello."})
    row = await sync_to_async(key_actions.ApiKey.objects.get)(pk=alice.id)
    await sync_to_async(key_actions.delete)(row, by=BY)
    await complete(assistant.request(), Origin(alice, "req_1", "chat"))
    assert (await only_run()).api_key_name == "alice"


def record(principal: Principal, **fields: Any) -> RunRecord:
    fields_of_all = {
        "assistant_id": 1,
        "assistant_slug": "helper",
        "model": "m",
        "started_at": timezone.now(),
    }
    return RunRecord(Origin(principal, "req_1"), **(fields_of_all | fields))


async def test_a_record_that_cannot_be_written_costs_no_other(alice: Principal) -> None:
    good, bad = record(alice), record(alice, model="m" * 300)
    await sync_to_async(write)([good, bad])
    assert (await only_run()).run_id == good.origin.run_id


async def test_the_last_record_of_a_run_counts(alice: Principal) -> None:
    running = record(alice)
    ended = RunRecord(running.origin, 1, "helper", "m", running.started_at, RunStatus.COMPLETED, rounds=2)
    await sync_to_async(write)([running])
    await sync_to_async(write)([running, ended])
    run = await only_run()
    assert (run.status, run.rounds) == (RunStatus.COMPLETED, 2)


async def test_a_run_whose_process_was_killed_does_not_run_for_ever(
    alice: Principal, settings: LazySettings
) -> None:
    settings.RUN_DEADLINE_S = 100
    old, young = timezone.now() - timedelta(seconds=200), timezone.now() - timedelta(seconds=120)
    await sync_to_async(write)([record(alice, started_at=old), record(alice, started_at=young)])
    assert await sync_to_async(actions.fail_abandoned_runs)() == 1
    statuses = [(run.status, run.error) async for run in Run.objects.order_by("started_at")]
    assert statuses == [(RunStatus.FAILED, "abandoned"), (RunStatus.RUNNING, "")]


async def test_a_call_of_a_tool_may_run_longer_than_a_chat(alice: Principal, settings: LazySettings) -> None:
    settings.RUN_DEADLINE_S, settings.MCP_CALL_CEILING_S = 100, 1_000
    for age_s in (200, 1_200):
        started_at = timezone.now() - timedelta(seconds=age_s)
        await sync_to_async(write)([record(alice, started_at=started_at, kind=RunKind.MCP)])
    assert await sync_to_async(actions.fail_abandoned_runs)() == 1


def test_beat_asks_for_tasks_that_there_are(settings: LazySettings) -> None:
    app.loader.import_default_modules()
    asked = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert "assistants.tasks.fail_abandoned_runs" in asked
    assert asked <= set(app.tasks)


@pytest.mark.parametrize("answer", ["a NUL \0", "half a pair \ud800"])
async def test_a_text_that_no_row_takes_costs_no_other_record(alice: Principal, answer: str) -> None:
    good = record(alice)
    await sync_to_async(write)([good, record(alice, answer=answer)])
    assert (await only_run()).run_id == good.origin.run_id


async def test_a_row_holds_all_that_its_record_holds(alice: Principal) -> None:
    call = CallRecord(
        7, "Clock", "now", ToolCall.Status.ERROR, 3, "tool_error", 4, {"a": [1, None, 'x"\\']}, "ü", 250
    )
    rounds = [{"started_ms": 0, "duration_ms": 1, "prompt_tokens": 2, "completion_tokens": 3}]
    given = record(
        alice,
        status=RunStatus.COMPLETED,
        model_rounds=rounds,
        calls=(call,),
        answer="'é",
        selection={"k": 0.5},
    )
    await sync_to_async(write)([given])
    run = await only_run()
    assert (run.model_rounds, run.answer, run.selection, run.unavailable) == (rounds, "'é", {"k": 0.5}, None)
    assert (run.started_at, run.conversation_id, run.kind) == (given.started_at, None, RunKind.CHAT)
    made = await ToolCall.objects.aget()
    assert (made.run_id, made.position, made.mcp_tool_id, made.status) == (run.pk, 0, 7, "error")
    assert (made.arguments, made.result, made.duration_ms) == (call.arguments, "ü", 3)
    assert made.started_at == given.started_at + timedelta(milliseconds=250)
