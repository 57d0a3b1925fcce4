"""The list of runs and the page of one: what they find, show and keep back, and what they cost."""

import json
import re
import shlex
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions as assistant_actions
from assistants.models import Run
from tests.console.observed import add_run, member_of
from tests.console.pages import BY
from tests.queries import assert_same_queries
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
RUNS = "/admin/assistants/run/"
SECRET = "canary-of-a-body"
MARKUP = "<img src=x onerror=alert(1)>"


def found(client: Client, query: str) -> list[str]:
    """The runs that a list shows."""
    response: Any = client.get(f"{RUNS}?{query}")
    assert response.status_code == 200, response
    return sorted(run.run_id for run in response.context["cl"].result_list)


def page_of(client: Client, run: Run) -> str:
    response = client.get(f"{RUNS}{run.pk}/change/")
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_runs_are_found_by_key_assistant_status_and_time(admin_client: Client) -> None:
    key = key_actions.issue(by=BY, name="alice").api_key
    assistant = assistant_actions.create(by=BY, name="Helper", slug="helper")
    add_run(1, api_key_id=key.pk, assistant_id=assistant.pk)
    add_run(2, status="failed", ago=timedelta(days=3))
    assert found(admin_client, f"api_key__id__exact={key.pk}") == ["run_1"]
    assert found(admin_client, f"assistant__id__exact={assistant.pk}") == ["run_1"]
    assert found(admin_client, "status__exact=failed") == ["run_2"]
    day = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%d")
    assert found(admin_client, f"started_at_from_0={day}&started_at_from_1=00:00") == ["run_1"]
    assert found(admin_client, f"started_at_to_0={day}&started_at_to_1=00:00") == ["run_2"]


@pytest.mark.parametrize("tool", ["now", "Clock now", "clock now", "later"])
def test_runs_are_found_by_the_tool_that_they_called(admin_client: Client, tool: str) -> None:
    add_run(1)
    add_run(2, calls=0)
    assert found(admin_client, f"tool={tool}") == (["run_1"] if tool in {"now", "Clock now"} else [])


def test_runs_are_found_by_the_server_that_they_called(admin_client: Client, clock: MCPTool) -> None:
    add_run(1).tool_calls.update(mcp_tool=clock)
    add_run(2)
    assert found(admin_client, "tool=Clock") == ["run_1"]


def test_runs_are_found_by_an_error_of_theirs_or_of_their_calls(admin_client: Client) -> None:
    add_run(1, error="upstream_timeout", status="failed", calls=0)
    add_run(2, status="failed")
    add_run(3)
    assert found(admin_client, "error=timeout") == ["run_1"]
    assert found(admin_client, "error=tool_err") == ["run_2"]


@pytest.mark.parametrize("term", ["run_1", "req_1", "Alice"])
def test_runs_are_found_by_their_id_their_request_or_their_key(admin_client: Client, term: str) -> None:
    add_run(1, api_key_id=key_actions.issue(by=BY, name="alice").api_key.pk)
    add_run(2)
    assert found(admin_client, f"q={term}") == ["run_1"]


@pytest.mark.parametrize(
    "query",
    [
        "started_at_from_0=nonsense",
        "tool=%00",
        "error=%FF",
        "api_key__id__exact=x",
        "p=99999999999",
        "tool=%20",
    ],
)
def test_odd_filters_are_no_errors_of_ours(admin_client: Client, query: str) -> None:
    add_run(1)
    assert admin_client.get(f"{RUNS}?{query}").status_code < 500


def test_the_list_counts_nothing_and_has_the_same_queries_for_any_number_of_rows(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    def more() -> None:
        for number in range(2, 40):
            add_run(number, api_key_id=key_actions.issue(by=BY, name=f"k{number}").api_key.pk)

    add_run(1)
    with django_assert_max_num_queries(20) as captured:
        admin_client.get(RUNS)
    assert not [each for each in captured if 'COUNT(*) AS "__count" FROM "assistants_run"' in each["sql"]]
    assert_same_queries(lambda: admin_client.get(RUNS), after=more)


def test_a_run_is_a_waterfall_with_numbers(admin_client: Client) -> None:
    run = add_run(1, status="failed", error="upstream_timeout")
    response: Any = admin_client.get(f"{RUNS}{run.pk}/change/")
    bars = [row["bar"] for row in response.context["bars"]]
    assert [(bar.kind, bar.started_ms, bar.duration_ms) for bar in bars] == [
        ("model", 0, 500),
        ("tool", 500, 1_000),
        ("model", 1_500, 500),
    ]
    assert [(bar.left, bar.width) for bar in bars] == [(0.0, 25.0), (25.0, 50.0), (75.0, 25.0)]
    page = unescape(response.content.decode())
    assert "upstream_timeout: The LLM service, or the whole run, took too long." in re.sub(
        "<[^>]+>", "", page
    )
    assert "margin-left: 25.00%; width: 50.00%" in page
    for text in ("Model, round 2", "now", "Clock", "600 read, 100 written", "tool_error"):
        assert text in page


def test_a_call_that_was_asked_about_leads_to_its_approval(admin_client: Client) -> None:
    run = add_run(1)
    run.tool_calls.update(approval=1_234)
    shown = page_of(admin_client, run)
    assert '<a href="/admin/assistants/approval/1234/">Approval 1234</a>' in shown


def test_a_run_without_recorded_times_is_shown_in_order(admin_client: Client) -> None:
    page = page_of(admin_client, add_run(1, calls=2, model_rounds=None))
    assert "without the times of its steps" in page
    assert "margin-left" not in page


def test_servers_that_were_unavailable_are_named(admin_client: Client) -> None:
    page = page_of(admin_client, add_run(1, unavailable=[{"server": "Maps", "reason": "It starts."}]))
    assert "Maps: It starts." in page


def test_what_was_selected_is_shown_with_the_reason(admin_client: Client) -> None:
    selection = {"mode": "retrieved", "embedder": "", "degraded": "", "k": 10, "cutoff": 0.5}
    selection |= {"budget": 4000, "tokens": 90, "tokens_all": 900}
    candidates = [
        {"public_name": "time__now", "reason": "pinned", "score": None, "chosen": True},
        {"public_name": "time__then", "reason": "ranked", "score": 0.25, "chosen": False},
    ]
    page = page_of(admin_client, add_run(1, selection={**selection, "candidates": candidates}))
    for text in ("time__now", "pinned", "time__then", "0.250", "left out"):
        assert text in page


def run_with_bodies() -> Run:
    run = add_run(1, request=f"{SECRET} 'q'", answer=SECRET)
    run.tool_calls.update(arguments={"city": SECRET}, result=SECRET)
    return run


@pytest.mark.parametrize(("group", "reads"), [("viewer", False), ("operator", False), ("auditor", True)])
def test_stored_texts_are_for_those_who_may_read_them(group: str, reads: bool) -> None:
    page = page_of(member_of(group), run_with_bodies())
    assert page.count(SECRET) == (5 if reads else 0)


def test_who_may_not_see_runs_is_refused() -> None:
    run = add_run(1)
    client = member_of()
    assert client.get(RUNS).status_code == client.get(f"{RUNS}{run.pk}/change/").status_code == 403


def test_a_run_is_copied_as_curl(admin_client: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://mcp.example.org"
    response: Any = admin_client.get(f"{RUNS}{run_with_bodies().pk}/change/")
    words = shlex.split(response.context["curl"])
    assert words[:2] == ["curl", "https://mcp.example.org/v1/chat/completions"]
    assert "Authorization: Bearer $API_KEY" in words
    body = json.loads(words[-1])
    assert body == {"model": "helper", "messages": [{"role": "user", "content": f"{SECRET} 'q'"}]}


def test_without_a_public_address_curl_names_the_one_that_was_asked(
    admin_client: Client, settings: Any
) -> None:
    settings.PUBLIC_URL = ""
    assert "http://testserver/v1/chat/completions" in page_of(admin_client, add_run(1))


def test_texts_of_callers_and_servers_are_text(admin_client: Client) -> None:
    run = add_run(
        1, api_key_name=MARKUP, request=MARKUP, answer=f"{MARKUP}\x1b[31m" + "x" * 2_000_000, model=MARKUP
    )
    run.tool_calls.update(
        server=MARKUP, function=MARKUP, error=MARKUP, result=MARKUP, arguments={"a": MARKUP}
    )
    Run.objects.update(error=MARKUP, unavailable=[{"server": MARKUP, "reason": MARKUP}])
    for address in (RUNS, f"{RUNS}{run.pk}/change/"):
        page = admin_client.get(address).content.decode()
        assert MARKUP not in page
        assert len(page) < 500_000


def add_call(number: int = 1, **fields: Any) -> Run:
    """A run of kind "mcp": one call of a tool, without a model."""
    nothing = {"model": "", "rounds": 0, "prompt_tokens": 0, "completion_tokens": 0, "first_token_ms": None}
    return add_run(number, kind="mcp", **{**nothing, "model_rounds": [], **fields})


def test_runs_are_found_by_their_kind(admin_client: Client) -> None:
    add_run(1)
    add_call(2)
    assert found(admin_client, "kind__exact=mcp") == ["run_2"]
    assert found(admin_client, "kind__exact=chat") == ["run_1"]


def test_a_call_without_a_model_has_a_page_without_one(admin_client: Client, clock: MCPTool) -> None:
    function = clock.functions.get(name="now")
    run = add_call(request=None)
    run.tool_calls.update(mcp_tool=clock, arguments={"zone": "UTC"}, result="noon")
    response: Any = admin_client.get(f"{RUNS}{run.pk}/change/")
    page = unescape(response.content.decode())
    for text in ("Kind", "MCP", "Call the same again", '"zone": "UTC"', "noon", "Clock"):
        assert text in page
    main = page[page.index('class="observe"') :]
    for text in (
        "Model",
        "Rounds of the model",
        "First token",
        "Tools that the model was given",
        "Waterfall",
    ):
        assert f">{text}<" not in main
    words = shlex.split(response.context["curl"])
    assert words[1].endswith(f"/api/v1/assistants/helper/tools/{function.public_name}")
    assert json.loads(words[-1]) == {"zone": "UTC"}


def test_a_call_of_a_servers_own_endpoint_is_named_by_its_tool(admin_client: Client) -> None:
    run = add_call(assistant_slug="", status="failed", error="invalid_arguments")
    page = page_of(admin_client, run)
    assert "Clock now" in page
    assert "its server was not asked" in page
    assert "curl" not in page
    assert admin_client.get(RUNS).status_code == 200


def test_a_run_that_does_not_exist_leads_to_the_list(admin_client: Client) -> None:
    for pk in ("7", "x", "99999999999999999999"):
        assert admin_client.get(f"{RUNS}{pk}/change/").status_code == 302


def test_the_page_of_a_run_has_the_same_queries_for_any_number_of_calls(admin_client: Client) -> None:
    run = add_run(1)
    for position in range(1, 20):
        run.tool_calls.create(position=position, server="Clock", function="now", status="ok", duration_ms=3)
    short = add_run(2)
    pages = iter([short, short, run])
    assert_same_queries(lambda: admin_client.get(f"{RUNS}{next(pages).pk}/change/"), after=lambda: None)
