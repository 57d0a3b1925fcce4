"""What is recorded of a run, by its events."""

from collections.abc import Sequence
from typing import Any

import pytest

from apikeys.principal import Principal
from assistants.agent import RunRequest
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import ServerEntry
from assistants.events import Event, Finished, TextDelta, ToolFinished, ToolStarted, UnavailableTool, Usage
from assistants.models import RunStatus, ToolCall
from assistants.recording import trace as trace_module
from assistants.recording.records import Origin, RunRecord
from assistants.recording.trace import Trace
from assistants.storable import LONGEST_BODY
from tests.assistants.agent.conftest import entry, function

ALICE = Principal(
    id=7,
    name="alice",
    key_prefix="ak-000000-...",
    can_manage=False,
    can_call_assistant=True,
    is_disabled=False,
    expires_at=None,
)
TIME = ServerEntry(id=3, name="Time", slug="time")
STARTED = ToolStarted("c1", "time__now", "Time", "now", {"zone": "UTC\0"})
ENDED = ToolFinished("c1", "time__now", "ok", 12, None, [{"text": "noon\0"}, {"image": {}}])
HELLO = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "image_url"}]}]


def traced(
    *events: Event,
    status: RunStatus = RunStatus.CANCELLED,
    error: str = "",
    messages: Any = HELLO,
    **fields: Any,
) -> RunRecord:
    """The record of a run that went so, and ended as `status` and `error` say."""
    functions = (function("now", server=TIME),)
    assistant = entry(Endpoint("http://llm/v1", "", "tiny"), functions=functions, **fields)
    trace = Trace(RunRequest(assistant, messages), Origin(ALICE, "req_1"))
    for event in events:
        trace.add(event)
    return trace.ended(status, error)


def whole(*events: Event) -> Sequence[Event]:
    return [*events, Usage(30, 9), Finished("stop", 2)]


def test_a_run_that_ends_well_is_completed() -> None:
    record = traced(*whole(TextDelta("It is "), STARTED, ENDED, TextDelta("noon.")))
    assert (record.status, record.error, record.rounds) == (RunStatus.COMPLETED, "", 2)
    assert (record.prompt_tokens, record.completion_tokens) == (30, 9)
    assert (record.assistant_slug, record.model, record.origin.principal) == ("helper", "tiny", ALICE)
    assert record.first_token_ms is not None
    assert record.duration_ms is not None
    [call] = record.calls
    assert (call.server_id, call.server, call.function) == (3, "Time", "now")
    assert (call.status, call.duration_ms, call.error, call.result_size) == (ToolCall.Status.OK, 12, "", 5)


def test_bodies_are_stored_only_where_the_assistant_says_so() -> None:
    events = whole(STARTED, ENDED, TextDelta("no\0on"))
    silent, stored = traced(*events), traced(*events, store_bodies=True)
    assert (silent.answer, silent.calls[0].arguments, silent.calls[0].result) == (None, None, None)
    assert (stored.answer, stored.calls[0].arguments, stored.calls[0].result) == (
        "no\ufffdon",
        {"zone": "UTC\ufffd"},
        "noon\ufffd",
    )


def test_stored_bodies_are_bounded() -> None:
    big = "x" * (LONGEST_BODY + 1)
    started = ToolStarted("c1", "time__now", "Time", "now", {"text": big})
    ended = ToolFinished("c1", "time__now", "ok", 1, None, [{"text": big}])
    record = traced(*whole(started, ended, TextDelta(big)), store_bodies=True)
    assert (len(record.answer or ""), len(record.calls[0].result or "")) == (LONGEST_BODY, LONGEST_BODY)
    assert (record.calls[0].arguments, record.calls[0].result_size) == (None, len(big))


def test_a_call_that_never_ended_was_cancelled() -> None:
    record = traced(Usage(10, 2), STARTED)
    assert (record.status, record.rounds) == (RunStatus.CANCELLED, 0)
    assert (record.calls[0].status, record.calls[0].duration_ms) == (ToolCall.Status.CANCELLED, None)


def test_a_failed_call_has_its_code() -> None:
    [call] = traced(*whole(STARTED, ToolFinished("c1", "time__now", "error", 60, "tool_timeout"))).calls
    assert (call.status, call.error) == (ToolCall.Status.ERROR, "tool_timeout")


def test_a_failed_run_has_its_code() -> None:
    record = traced(TextDelta("It"), status=RunStatus.FAILED, error="upstream_error")
    assert (record.status, record.error) == (RunStatus.FAILED, "upstream_error")


def test_a_caller_who_leaves_after_the_end_cancels_nothing() -> None:
    assert traced(*whole(), status=RunStatus.CANCELLED).status == RunStatus.COMPLETED


def test_a_cut_round_is_estimated_from_its_characters() -> None:
    record = traced(Usage(100, 20), STARTED, ENDED, TextDelta("x" * 41), messages=HELLO * 20)
    assert (record.prompt_tokens, record.completion_tokens) == (100 + 25, 20 + 11)


def test_a_run_that_never_got_a_word_costs_nothing() -> None:
    record = traced(status=RunStatus.FAILED, error="upstream_error")
    assert (record.prompt_tokens, record.completion_tokens, record.first_token_ms) == (0, 0, None)


def test_the_times_of_rounds_and_calls_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(number / 1_000 for number in range(0, 10_000, 100))
    monkeypatch.setattr(trace_module.time, "monotonic", lambda: next(clock))
    record = traced(Usage(10, 1), STARTED, ENDED, TextDelta("noon"), Usage(30, 9), Finished("stop", 2))
    first, second = record.model_rounds or ()
    assert (first["started_ms"], first["prompt_tokens"], first["completion_tokens"]) == (0, 10, 1)
    assert (second["prompt_tokens"], second["completion_tokens"]) == (20, 8)
    [call] = record.calls
    assert 0 < first["duration_ms"] <= call.started_ms <= second["started_ms"]
    assert second["started_ms"] + second["duration_ms"] <= (record.duration_ms or 0)


def test_a_round_that_was_cut_off_is_recorded() -> None:
    assert len(traced(Usage(10, 1), STARTED, ENDED).model_rounds or ()) == 2
    assert len(traced(Usage(10, 1), STARTED).model_rounds or ()) == 1
    assert len(traced(status=RunStatus.FAILED, error="upstream_timeout").model_rounds or ()) == 1


def test_usage_that_is_reported_twice_is_one_round() -> None:
    assert len(traced(Usage(30, 9), *whole()).model_rounds or ()) == 1


def test_servers_that_were_unavailable_are_recorded() -> None:
    finished = Finished("stop", 1, (UnavailableTool("Time", "starting"),))
    assert traced(Usage(1, 1), finished).unavailable == [{"server": "Time", "reason": "starting"}]
    assert traced().unavailable is None
