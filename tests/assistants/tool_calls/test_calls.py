"""Calls of tools without a model: their limits, their checks, their end from outside, and their record."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apikeys import actions as key_actions
from apikeys.errors import InvalidApiKey, LimitReached
from apikeys.models import ApiKey
from assistants.actions.runs import cancel_run
from assistants.catalogue.entries import FunctionEntry
from assistants.errors import RunCancelled
from assistants.models import Run, RunKind, RunStatus, ToolCall
from assistants.tool_calls import Asked, Called, call, record
from connector.client import requests
from connector.client.requests import Exchange, InputRequired
from connector.errors import CallFailed
from tests.assistants.tool_calls.conftest import Scene, recording_calls
from tests.connector.conftest import BY, orm, wait_for
from tools.arguments import InvalidArguments


def function_of(asked: Asked, name: str) -> FunctionEntry:
    assert asked.assistant is not None
    return asked.assistant.by_name[f"fake__{name}"]


@orm
def recorded() -> tuple[Run, ToolCall]:
    [run], [made] = Run.objects.all(), ToolCall.objects.all()
    return run, made


async def test_a_call_returns_the_servers_result_and_leaves_a_run(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene("structured", store_bodies=True)
        result = await call(asked, function_of(asked, "weigh"), {"thing": "egg", "times": "2"})
    assert result == Called({"content": [{"type": "text", "text": "2 g"}], "structuredContent": {"grams": 4}})
    run, made = await recorded()
    assert (run.kind, run.status, run.error, run.model) == (RunKind.MCP, RunStatus.COMPLETED, "", "")
    assert (run.assistant_slug, run.api_key_name, run.request_id) == ("shop", "alice", "req_1")
    assert (run.server_tool_calls, run.total_tokens, run.first_token_ms) == (1, 0, None)
    assert (made.server, made.function, made.status, made.error) == ("fake", "weigh", "ok", "")
    assert (made.arguments, made.result, made.result_size) == ({"thing": "egg", "times": "2"}, "2 g", 3)
    assert run.duration_ms == made.duration_ms is not None


async def test_bodies_are_stored_only_where_the_assistant_wants_it(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene()
        await call(asked, function_of(asked, "echo"), {"a": 1})
        await call(replace(asked, assistant=None), function_of(asked, "echo"), {"a": 1})
    rows = await orm(lambda: list(ToolCall.objects.values_list("arguments", "result", "result_size")))()
    assert rows == [(None, None, 8), (None, None, 8)]
    runs = await orm(lambda: list(Run.objects.order_by("id").values_list("assistant_slug", "assistant_id")))()
    assert asked.assistant is not None
    assert runs == [("shop", asked.assistant.id), ("", None)]


async def test_a_tool_that_reports_a_failure_has_run(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene()
        result: Any = await call(asked, function_of(asked, "fail"), {})
    assert result.result["isError"] is True
    run, made = await recorded()
    assert (run.status, run.error, made.status, made.error) == ("completed", "", "error", "tool_error")


async def test_wrong_arguments_do_not_reach_the_server(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene("structured")
        with pytest.raises(InvalidArguments):
            await call(asked, function_of(asked, "weigh"), {"times": 0})
    run, made = await recorded()
    assert (run.status, run.error) == ("failed", "invalid_arguments")
    assert (made.status, made.error) == ("error", "invalid_arguments")


async def test_a_call_that_fails_says_why_on_the_record(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene()
        with pytest.raises(CallFailed):
            await call(asked, replace(function_of(asked, "sleep"), timeout_s=1), {"s": 30})
    run, made = await recorded()
    assert (run.status, run.error, made.error) == ("failed", "tool_timeout", "tool_timeout")


async def test_limits_of_the_key_hold(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene(limits={"requests_per_minute": 1})
        await call(asked, function_of(asked, "echo"), {})
        with pytest.raises(LimitReached):
            await call(asked, function_of(asked, "echo"), {})
    assert await orm(Run.objects.count)() == 1


async def test_calls_at_once_are_limited(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene(limits={"concurrent_requests": 1})
        first = asyncio.create_task(call(asked, function_of(asked, "sleep"), {"s": 3}))
        await asyncio.sleep(0.5)
        with pytest.raises(LimitReached):
            await call(asked, function_of(asked, "echo"), {})
        await first


async def test_a_caller_who_leaves_leaves_a_cancelled_run(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await call(asked, function_of(asked, "sleep"), {"s": 30})
        result: Any = await call(asked, function_of(asked, "cancelled"), {})
    assert result.result["content"][0]["text"] == "1"
    run = await orm(Run.objects.order_by("id").first)()
    made = await orm(ToolCall.objects.order_by("id").first)()
    assert (run.status, run.error, made.status) == ("cancelled", "", "cancelled")


async def test_a_revoked_key_ends_its_calls(scene: Scene) -> None:
    async with recording_calls():
        asked = await scene()
        running = asyncio.create_task(call(asked, function_of(asked, "sleep"), {"s": 30}))
        await asyncio.sleep(1)
        await orm(lambda: key_actions.update(ApiKey.objects.get(), by=BY, is_disabled=True))()
        with pytest.raises(InvalidApiKey):
            await running
    run, made = await recorded()
    assert (run.status, run.error, made.status) == ("cancelled", "invalid_api_key", "cancelled")


async def test_a_long_call_is_seen_while_it_runs_and_can_be_cancelled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "SHOWN_AFTER_S", 0.1)
    async with recording_calls():
        asked = await scene()
        running = asyncio.create_task(call(asked, function_of(asked, "sleep"), {"s": 30}))
        run = await wait_for(orm(Run.objects.first))
        assert (run.status, run.kind) == (RunStatus.RUNNING, RunKind.MCP)
        await orm(cancel_run)(run, by=BY)
        with pytest.raises(RunCancelled):
            await running
    run, made = await recorded()
    assert (run.status, run.error, made.status) == ("cancelled", "run_cancelled", "cancelled")


async def test_a_short_call_is_written_once(scene: Scene, tmp_path: Path) -> None:
    written: list[Any] = []
    async with recording_calls():
        asked = await scene()
        add = record.writer.add
        record.writer.add = lambda item: (written.append(item), add(item))[1]  # type: ignore[method-assign]
        try:
            await call(asked, function_of(asked, "echo"), {})
        finally:
            record.writer.add = add  # type: ignore[method-assign]
    assert [each.status for each in written] == [RunStatus.COMPLETED]


async def test_each_round_of_a_call_is_counted_and_recorded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever sends a state again and again would call a stateless server beyond limits and record."""
    sent: list[Exchange] = []

    async def send(*_: Any, exchange: Exchange, **__: Any) -> Any:
        sent.append(exchange)
        return {"content": []} if exchange.state else InputRequired({"who": {}}, "state")

    monkeypatch.setattr(requests, "send", send)
    async with recording_calls():
        asked = await scene(limits={"requests_per_minute": 2})
        echo, first = function_of(asked, "echo"), Exchange(capabilities={"elicitation": {}})
        question = await call(asked, echo, {}, first)
        assert isinstance(question, InputRequired)
        second = replace(first, state=question.state, responses={"who": {}})
        assert await call(asked, echo, {}, second) == Called({"content": []})
        with pytest.raises(LimitReached):
            await call(asked, echo, {}, second)
    assert [each.key_id for each in sent] == [asked.principal.id] * 2
    rows = await orm(lambda: list(ToolCall.objects.order_by("pk").values_list("status", "error")))()
    assert rows == [("ok", "input_required"), ("ok", "")]
