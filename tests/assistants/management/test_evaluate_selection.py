"""manage.py evaluate_selection, with runs as the recorder writes them, and with real searches."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from apikeys.principal import Principal
from assistants import actions
from assistants.models import Assistant, Run, RunStatus, ToolCall
from assistants.recording.records import CallRecord, Origin, RunRecord
from assistants.recording.rows import write
from assistants.selection import evaluation
from tests.assistants.routing.conftest import BY, register
from tools.models import MCPTool
from tools.search import index

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(db: None) -> MCPTool:
    return register(
        "Weather",
        {
            "get_forecast": "The weather of the coming days at a place.",
            "get_tides": "When the sea is high and low.",
            "send_postcard": "Send a postcard.",
        },
    )


@pytest.fixture
def assistant(server: MCPTool) -> Assistant:
    return actions.create(by=BY, name="Sailor", tools=[server], selection="retrieved")


@pytest.fixture
def alice(db: None) -> ApiKey:
    return key_actions.issue(by=BY, name="alice").api_key


def selection(*candidates: tuple[str, str, float | None]) -> dict[str, Any]:
    """Returns a recorded selection of these candidates (name, reason, score), the best first."""
    candidates = [
        {"public_name": f"weather__{name}", "reason": reason, "score": score, "chosen": True}
        for name, reason, score in candidates
    ]
    return {
        "mode": "retrieved", "embedder": "e", "degraded": "", "k": 2, "cutoff": 0.2, "budget": 4000,
        "tokens": 100, "tokens_all": 400, "candidates": candidates,
    }  # fmt: skip


def record(
    assistant: Assistant, by: ApiKey, *called: str, status: Any = ToolCall.Status.OK, **fields: Any
) -> None:
    server = assistant.tools.get()
    principal = Principal(by.pk, by.name, by.key_prefix, False, True, False, None)
    calls = tuple(CallRecord(server.pk, server.name, name, status) for name in called)
    at = timezone.now() - fields.pop("ago", timedelta())
    origin, ended = Origin(principal, "req_1"), {"status": RunStatus.COMPLETED, "calls": calls}
    write([RunRecord(origin, assistant.pk, assistant.slug, "tiny", at, **ended, **fields)])


def evaluate(*arguments: str) -> str:
    output = StringIO()
    call_command("evaluate_selection", *arguments, stdout=output)
    return output.getvalue()


def test_recall_is_the_share_of_called_tools_among_the_first_k(assistant: Assistant, alice: ApiKey) -> None:
    ranked = selection(
        ("get_tides", "ranked", 0.6), ("get_forecast", "ranked", 0.4), ("send_postcard", "ranked", 0.3)
    )
    record(assistant, alice, "get_forecast", selection=ranked)
    record(assistant, alice, "get_tides", "send_postcard", "get_tides", selection=ranked)
    report = evaluate("--k", "3,1,2")
    assert report.startswith("sailor\n")
    assert "as it was: recall @1 0.250  @2 0.750  @3 1.000  (runs: 2, tools called: 3)" in report
    assert "tokens a run    100 of 400: 75% saved" in report
    assert "To search again, too: have the assistant store bodies." in report


def test_preselected_tools_do_not_count(assistant: Assistant, alice: ApiKey) -> None:
    preselected = selection(
        ("get_tides", "ranked", 0.6), ("get_forecast", "pinned", None), ("send_postcard", "used", 0.1)
    )
    record(assistant, alice, "get_forecast", "send_postcard", selection=preselected)
    assert evaluation.cases() == []
    record(assistant, alice, "get_forecast", "get_tides", selection=preselected)
    [case] = evaluation.cases()
    assert case.called == {"weather__get_tides"}


def test_a_tool_that_the_model_named_without_being_given_it_was_missed(
    assistant: Assistant, alice: ApiKey
) -> None:
    missed = selection(("get_tides", "ranked", 0.6), ("get_forecast", "named", None))
    record(assistant, alice, "get_forecast", selection=missed)
    assert "@1 0.000  @20 0.000" in evaluate("--k", "1,20")


def test_failed_calls_and_deleted_tools_do_not_count(assistant: Assistant, alice: ApiKey) -> None:
    record(assistant, alice, "get_tides", status=ToolCall.Status.ERROR, selection=selection())
    record(assistant, alice, "get_wind", selection=selection())
    record(assistant, alice, selection=selection())
    assert evaluate() == "No run has called a tool that a selection could have missed.\n"


def test_stored_requests_are_searched_again(assistant: Assistant, alice: ApiKey) -> None:
    """Also for runs that were given all tools: what a selection would have given them."""
    index.work(for_s=30)
    record(assistant, alice, "get_forecast", request="Will it rain in Kiel tomorrow?")
    record(assistant, alice, "get_tides", request="When can I sail out, at high water?")
    record(assistant, alice, "send_postcard", request="Send my aunt a postcard from the harbour.")
    report = evaluate("--k", "1,3")
    assert "as it was" not in report
    assert "recall @1 1.000  @3 1.000  (runs: 3, tools called: 3)" in report
    record(assistant, alice, "send_postcard", request="Will it rain in Kiel tomorrow?")
    assert "recall @1 0.750  @3 1.000  (runs: 4, tools called: 4)" in evaluate("--k", "1,3")


def test_runs_are_chosen_by_assistant_and_time(assistant: Assistant, alice: ApiKey, server: MCPTool) -> None:
    other = actions.create(by=BY, name="Other", tools=[server])
    record(assistant, alice, "get_tides", selection=selection(), ago=timedelta(days=3))
    record(other, alice, "get_forecast", request="Rain?")
    assert "sailor" in evaluate()
    assert "other" not in evaluate("--assistant", "sailor")
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    assert "sailor" not in evaluate("--since", yesterday)
    assert evaluate("--since", yesterday, "--limit", "1").startswith("other\n")


@pytest.mark.parametrize("arguments", [["--k", "none"], ["--k", "0"], ["--since", "soon"]])
def test_malformed_numbers_and_times_are_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        evaluate(*arguments)


def test_a_run_whose_assistant_was_deleted_is_skipped(assistant: Assistant, alice: ApiKey) -> None:
    record(assistant, alice, "get_tides", selection=selection())
    actions.delete(assistant, by=BY)
    assert Run.objects.count() == 1
    assert evaluation.cases() == []
