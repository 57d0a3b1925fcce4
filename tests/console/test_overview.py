"""The overview: what it counts, what to do next, and what it costs."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions as assistant_actions
from assistants.console import periods, sums
from connector.models import StateChange
from tests.console.observed import add_run, add_state, member_of
from tests.console.pages import BY
from tests.queries import assert_same_queries
from tools import actions
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
MARKUP = "<img src=x onerror=alert(1)>"


def cards(response: Any) -> dict[str, tuple[str, str]]:
    return {str(card["title"]): (card["value"], card["detail"]) for card in response.context["cards"]}


def test_a_fresh_installation_says_what_to_do_next(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()
    assert "What to do next" in page
    for address in ("tools/mcptool/add", "assistants/assistant/add", "apikeys/apikey/add"):
        assert f'class="link" href="/admin/{address}/"' in page
    assert page.count("Nothing in this period.") >= 4


def test_steps_are_ticked_off_as_they_are_done(admin_client: Client, clock: MCPTool) -> None:
    steps = [step.is_done for step in admin_client.get("/admin/").context["steps"]]
    assert steps == [True, False, False, False]
    assistant_actions.create(by=BY, name="Helper", slug="helper")
    key_actions.issue(by=BY, name="alice")
    assert [step.is_done for step in admin_client.get("/admin/").context["steps"]] == [
        True,
        True,
        True,
        False,
    ]
    add_run()
    assert "What to do next" not in admin_client.get("/admin/").content.decode()


def test_a_viewer_sees_the_steps_without_links_to_what_is_refused() -> None:
    page = member_of("viewer").get("/admin/").content.decode()
    assert "Add an MCP server" in page
    assert "/admin/tools/mcptool/add/" not in page


def test_the_figures_are_those_of_the_chosen_period(admin_client: Client, clock: MCPTool) -> None:
    add_run(1, calls=2)
    add_run(2, calls=1, status="failed", error="upstream_error", first_token_ms=None)
    add_run(3, ago=timedelta(days=3))
    day = cards(admin_client.get("/admin/"))
    assert day["Runs"] == ("2", "1 failed (50 %)")
    assert day["Tool calls"] == ("3", "1 failed (33 %)")
    assert day["Tokens"] == ("2,400", "2,000 read, 400 written")
    assert day["First token"][0] == "300 ms"
    assert cards(admin_client.get("/admin/?period=7d"))["Runs"][0] == "3"
    assert cards(admin_client.get("/admin/?period=nonsense"))["Runs"][0] == "2"


def test_a_chart_is_data_for_chart_js_and_a_table(admin_client: Client) -> None:
    add_run(1, status="failed")
    page = admin_client.get("/admin/").content.decode()
    data = [json.loads(unescape(each)) for each in re.findall(r'data-value="([^"]+)"', page)]
    assert len(data) == 4
    runs = next(each for each in data if each["datasets"][0]["label"] == "Went well")
    assert [sum(series["data"]) for series in runs["datasets"]] == [0, 1]
    assert len(runs["labels"]) == 24
    assert page.count("as a table</summary>") == 6


def test_the_slowest_and_the_most_failing_tools_are_named(admin_client: Client) -> None:
    add_run(1, calls=2)
    add_run(2, calls=2, status="failed")
    context = admin_client.get("/admin/").context
    [slow], [failing] = context["slowest"], context["failing"]
    assert (slow["function"], slow["calls"], slow["mean"]) == ("now", "4", "1.0 s")
    assert (failing["failed"], failing["share"]) == ("2", "50 %")


def test_texts_of_servers_are_text(admin_client: Client) -> None:
    run = add_run(1)
    run.tool_calls.update(server=MARKUP, function=f"{MARKUP}\u202e")
    page = admin_client.get("/admin/").content.decode()
    assert MARKUP not in page
    assert "&lt;U+202E&gt;" in page


def test_servers_are_counted_by_state(admin_client: Client, clock: MCPTool) -> None:
    other = actions.register(by=BY, name="Other", connection_type="stdio", command="python")
    MCPTool.objects.filter(pk=other.pk).update(status="running")
    states = admin_client.get("/admin/").context["servers"]["states"]
    assert [(state["word"], state["count"]) for state in states] == [("Running", "1"), ("Starting", "1")]


def test_uptime_is_the_share_of_the_time_that_servers_should_have_run(clock: MCPTool) -> None:
    period = periods.UPTIME[0]
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    StateChange.objects.all().delete()
    for status, ago in (
        ("running", 5 * HOUR),
        ("error", 3 * HOUR),
        ("running", 2.5 * HOUR),
        ("stopped", HOUR),
    ):
        StateChange.objects.create(server=clock, status=status, at=now - ago)
    shares = {now - start: part for start, part in sums.uptime(period, now).items()}
    assert {ago // HOUR: part.share for ago, part in shares.items()} == {5: 1.0, 4: 1.0, 3: 0.5, 2: 1.0}
    assert [part.outages for part in shares.values()].count(1) == 1


def test_a_first_start_and_retries_of_a_broken_server_are_no_outages(clock: MCPTool) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    StateChange.objects.all().delete()
    for minutes, status in enumerate(
        ("starting", "running", "error", "starting", "error", "starting", "error")
    ):
        at = now - timedelta(minutes=50 - minutes)
        StateChange.objects.create(server=clock, status=status, at=at)
    found = sums.uptime(periods.UPTIME[0], now)
    assert sum(part.outages for part in found.values()) == 1


def test_uptime_before_the_period_counts(clock: MCPTool) -> None:
    StateChange.objects.all().delete()
    add_state(clock, "running", timedelta(days=80))
    found = sums.uptime(periods.UPTIME[0], timezone.now())
    assert len(found) == 24
    assert {part.share for part in found.values()} == {1.0}


def test_what_a_person_may_not_read_is_not_summed(clock: MCPTool) -> None:
    response = member_of().get("/admin/")
    assert response.status_code == 200
    assert not [name for name in ("servers", "charts", "uptimes") if name in response.context]


def test_its_queries_do_not_grow_with_rows(admin_client: Client, clock: MCPTool) -> None:
    def more() -> None:
        for number in range(2, 12):
            add_run(number, calls=3, api_key_name=f"key {number}", assistant_slug=f"assistant-{number}")
            server = actions.register(by=BY, name=f"S{number}", connection_type="stdio", command="python")
            add_state(server, "error", HOUR)

    add_run(1)
    assert_same_queries(lambda: admin_client.get("/admin/?period=30d"), after=more)
