"""The management API of runs, usage and sessions."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from apikeys.principal import Principal
from assistants import actions
from assistants.models import Assistant, Run, RunStatus, ToolCall
from assistants.recording.records import CallRecord, Origin, RunRecord
from assistants.recording.rows import write
from tests.assistants.api.conftest import BY, Client, key

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(microsecond=0)
CALL = CallRecord(3, "Time", "now", ToolCall.Status.OK, 12, "", 4, {"zone": "UTC"}, "noon", started_ms=5)


def principal(api_key: ApiKey) -> Principal:
    return Principal(api_key.pk, api_key.name, api_key.key_prefix, False, True, False, None)


def assistant(name: str) -> Assistant:
    return actions.create(by=BY, name=name)


def run(
    of: Assistant,
    by: ApiKey,
    *,
    session: str | None = None,
    end_user: str = "",
    ago: timedelta = timedelta(),
    **fields: Any,
) -> str:
    """Writes a run, and returns its run_id."""
    ended: dict[str, Any] = {
        "status": RunStatus.COMPLETED,
        "rounds": 2,
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "first_token_ms": 50,
        "duration_ms": 120,
    }
    origin = Origin(principal(by), "req_1", session, end_user=end_user)
    write([RunRecord(origin, of.pk, of.slug, "tiny", NOW - ago, **(ended | fields))])
    return origin.run_id


@pytest.fixture
def helper(db: None) -> Assistant:
    return assistant("Helper")


@pytest.fixture
def alice(db: None) -> ApiKey:
    return key("alice").api_key


def test_one_run_is_shown_with_its_trace(api: Client, helper: Assistant, alice: ApiKey) -> None:
    run_id = run(helper, alice, session="chat", request="What time is it?", answer="Noon.", calls=(CALL,))
    shown = api.read(f"runs/{run_id}")
    assert shown == api.read(f"runs/{shown['id']}")
    [session] = api.read("sessions")
    started_at = datetime.fromisoformat(shown.pop("started_at"))
    assert started_at == NOW
    [call] = shown["tool_calls"]
    assert datetime.fromisoformat(call.pop("started_at")) >= NOW
    assert shown == {
        "id": shown["id"],
        "run_id": run_id,
        "request_id": "req_1",
        "kind": "chat",
        "api_key": {"id": alice.pk, "name": "alice", "key_prefix": alice.key_prefix},
        "username": "",
        "end_user": "",
        "assistant": {"id": helper.pk, "slug": "helper"},
        "conversation_id": session["id"],
        "model": "tiny",
        "status": "completed",
        "rounds": 2,
        "usage": {
            "prompt_tokens": 30,
            "completion_tokens": 9,
            "total_tokens": 39,
            "server_tool_calls": 1,
        },
        "usage_estimated": False,
        "first_token_ms": 50,
        "duration_ms": 120,
        "error": None,
        "request": "What time is it?",
        "answer": "Noon.",
        "tool_calls": [
            {
                "server": "Time",
                "function": "now",
                "status": "ok",
                "duration_ms": 12,
                "error": None,
                "result_size": 4,
                "approval": None,
                "arguments": {"zone": "UTC"},
                "result": "noon",
            }
        ],
        "selection": None,
        "model_rounds": None,
        "unavailable": None,
    }


def test_a_run_shows_its_rounds_and_the_servers_that_were_away(
    api: Client, helper: Assistant, alice: ApiKey
) -> None:
    first = {"started_ms": 0, "duration_ms": 40, "prompt_tokens": 10, "completion_tokens": 3}
    rounds = [first, first | {"started_ms": 52, "duration_ms": 68}]
    away = [{"server": "Time", "reason": "The server is stopped."}]
    shown = api.read(f"runs/{run(helper, alice, model_rounds=rounds, unavailable=away)}")
    assert (shown["model_rounds"], shown["unavailable"]) == (rounds, away)


def test_a_run_shows_which_tools_were_selected(api: Client, helper: Assistant, alice: ApiKey) -> None:
    selection = {
        "mode": "retrieved",
        "embedder": "minilm",
        "degraded": "",
        "k": 10,
        "cutoff": 0.5,
        "budget": 4000,
        "tokens": 90,
        "tokens_all": 9000,
        "candidates": [{"public_name": "time__now", "reason": "ranked", "score": 0.5, "chosen": True}],
    }
    run_id, other = run(helper, alice, selection=selection), run(helper, alice)
    assert api.read(f"runs/{run_id}")["selection"] == selection
    assert api.read(f"runs/{other}")["selection"] is None


def test_a_list_of_runs_holds_no_bodies(api: Client, helper: Assistant, alice: ApiKey) -> None:
    run(helper, alice, request="What time is it?", answer="Noon.", calls=(CALL,))
    [listed] = api.read("runs")
    assert not {"request", "answer"} & listed.keys()
    assert "tool_calls" not in listed


def test_runs_are_filtered_newest_first(api: Client, helper: Assistant, alice: ApiKey) -> None:
    bob, other, hour = key("bob").api_key, assistant("Other"), timedelta(hours=1)
    old = run(helper, alice, ago=2 * hour)
    failed = run(other, alice, ago=hour, status=RunStatus.FAILED, error="upstream_error")
    new = run(helper, bob, session="chat")

    def found(**query: Any) -> list[str]:
        return [each["run_id"] for each in api.read("runs", **query)]

    assert found() == [new, failed, old]
    assert found(status="failed") == [failed]
    assert found(key="bob") == found(api_key_id=bob.pk) == [new]
    assert found(assistant="other") == found(assistant_id=other.pk) == [failed]
    assert found(since=(NOW - hour).isoformat()) == [new, failed]
    assert found(until=(NOW - hour).isoformat()) == [old]
    assert found(conversation_id=api.read("sessions")[0]["id"]) == [new]
    assert found(request_id="req_1", limit=1, offset=1) == [failed]


@pytest.mark.parametrize(
    "query",
    ["status=odd", "since=yesterday", "api_key_id=x", "api_key_id=" + "9" * 30, "key=%00", "limit=-1"],
)
def test_a_bad_filter_is_refused(api: Client, query: str) -> None:
    assert api.refused("get", f"runs?{query}")[0] == 422
    assert api.refused("get", f"usage?{query}")[0] == 422


@pytest.mark.parametrize("path", ["runs/7", "runs/run_x", "runs/%00", "runs/" + "9" * 40, "sessions/7"])
def test_an_unknown_id_or_name_is_not_found(api: Client, path: str) -> None:
    assert api.refused("get", path)[0] == 404


def test_runs_outlive_their_key_and_assistant(api: Client, helper: Assistant, alice: ApiKey) -> None:
    run_id, prefix = run(helper, alice, session="chat"), alice.key_prefix
    actions.delete(helper, by=BY)
    key_actions.delete(alice, by=BY)
    shown = api.read(f"runs/{run_id}")
    assert shown["api_key"] == {"id": None, "name": "alice", "key_prefix": prefix}
    assert shown["assistant"] == {"id": None, "slug": "helper"}
    assert (shown["conversation_id"], api.read("sessions")) == (None, [])
    [row] = api.read("usage", group_by="api_key,assistant")
    assert (row["api_key"]["name"], row["assistant"]["slug"], row["runs"]) == ("alice", "helper", 1)


def test_usage_is_summed_by_the_requested_groups(api: Client, helper: Assistant, alice: ApiKey) -> None:
    bob, day = key("bob").api_key, timedelta(days=1)
    run(helper, alice, calls=(CALL, CALL))
    run(helper, alice, ago=day, status=RunStatus.FAILED)
    run(helper, bob, prompt_tokens=100, completion_tokens=0)
    run(helper, alice, ago=31 * day)
    days = api.read("usage")
    assert [(row["day"], row["runs"], row["failed_runs"]) for row in days] == [
        (NOW.date().isoformat(), 2, 0),
        ((NOW - day).date().isoformat(), 1, 1),
    ]
    keys = api.read("usage", group_by="api_key")
    assert [(row["api_key"]["name"], row["total_tokens"], row["server_tool_calls"]) for row in keys] == [
        ("bob", 100, 0),
        ("alice", 78, 2),
    ]
    assert set(keys[0]) == {
        "api_key", "runs", "failed_runs", "prompt_tokens", "completion_tokens", "total_tokens",
        "server_tool_calls",
    }  # fmt: skip
    [row] = api.read("usage", group_by="assistant,model", key="alice", since=(NOW - 40 * day).isoformat())
    assert (row["assistant"], row["model"], row["runs"]) == ({"id": helper.pk, "slug": "helper"}, "tiny", 3)
    assert api.get("/api/v1/usage?limit=1").headers["X-Total-Count"] == "2"


def test_usage_by_day_is_summed_without_sorting_all_runs() -> None:
    """It took memory, and then files, for as many runs as there are."""
    fields = {"status": RunStatus.COMPLETED, "kind": "chat"}
    Run.objects.bulk_create(
        Run(run_id=f"run-{number}", started_at=NOW - timedelta(seconds=100 * number), **fields)
        for number in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE assistants_run")
    assert "HashAggregate" in Run.objects.all().usage(["day"]).explain()


def test_runs_and_usage_name_the_end_user(api: Client, helper: Assistant, alice: ApiKey) -> None:
    asked = [run(helper, alice, end_user=name) for name in ("anna", "anna", "")]
    assert [each["run_id"] for each in api.read("runs", end_user="anna")] == asked[1::-1]
    assert api.read(f"runs/{asked[0]}")["end_user"] == "anna"
    rows = api.read("usage", group_by="end_user")
    assert sorted((row["end_user"], row["runs"]) for row in rows) == [("", 1), ("anna", 2)]


def test_usage_shows_the_present_names(api: Client, helper: Assistant, alice: ApiKey) -> None:
    run(helper, alice)
    key_actions.update(alice, by=BY, name="alicia")
    run(helper, alice)
    assert [(row["api_key"]["name"], row["runs"]) for row in api.read("usage", group_by="api_key")] == [
        ("alicia", 2)
    ]


def test_an_unknown_group_is_refused(api: Client) -> None:
    status, error = api.refused("get", "usage?group_by=day,colour")
    assert (status, list(error["details"]["fields"])) == (422, ["group_by"])


def test_sessions_are_shown_with_their_usage(api: Client, helper: Assistant, alice: ApiKey) -> None:
    for number in range(2):
        run(helper, alice, session="chat", ago=timedelta(minutes=number))
    [session] = api.read("sessions", session_id="chat", api_key_id=alice.pk)
    assert (session["session_id"], session["api_key_id"], session["assistant_id"]) == (
        "chat",
        alice.pk,
        helper.pk,
    )
    assert (session["run_count"], session["total_tokens"]) == (2, 78)
    assert api.read(f"sessions/{session['id']}") == session
    assert api.read("sessions", session_id="other") == []


def test_the_texts_of_a_deleted_session_are_deleted(api: Client, helper: Assistant, alice: ApiKey) -> None:
    run_id = run(helper, alice, session="chat", request="When?", answer="Noon.", calls=(CALL,))
    other = run(helper, alice, session="other", answer="Noon.", calls=(CALL,))
    [session] = api.read("sessions", session_id="chat")
    assert api.delete(f"/api/v1/sessions/{session['id']}").status_code == 204
    shown = api.read(f"runs/{run_id}")
    assert (shown["conversation_id"], shown["request"], shown["answer"]) == (None, None, None)
    assert shown["usage"]["total_tokens"] == 39
    assert (shown["tool_calls"][0]["arguments"], shown["tool_calls"][0]["result"]) == (None, None)
    assert api.read(f"runs/{other}")["answer"] == "Noon."
    assert api.read("audit", object_kind="session")[0]["action"] == "deleted"


@pytest.mark.parametrize("path", ["runs", "runs/1", "sessions", "usage"])
def test_runs_and_sessions_cannot_be_created_or_changed(api: Client, path: str) -> None:
    assert api.refused("post", path, {})[0] == 405
    assert not Run.objects.exists()
