"""The tab Context cost of an assistant: tokens of definitions, and tools that nobody called."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistants import actions
from assistants.console.context_windows import size_of
from assistants.models import Assistant, Run, ToolCall
from tests.console.pages import BY
from tests.console.test_assistant_pages import address, offer
from tests.queries import assert_same_queries
from tools.functions import catalogue
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db


def run_with_calls(assistant: Assistant, server: MCPTool, *functions: str) -> Run:
    run = Run.objects.create(
        run_id="run_1", status="completed", started_at=timezone.now(), assistant=assistant
    )
    for position, function in enumerate(functions):
        ToolCall.objects.create(
            run=run, position=position, mcp_tool=server, server=server.name, function=function, status="ok"
        )
    return run


def test_tokens_of_definitions_are_summed(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    offer(clock, "now", "then")
    actions.update(helper, by=BY, model="gpt-4.1-mini")
    run_with_calls(helper, clock, "now", "now")
    page: Any = admin_client.get(address(helper, "cost"))
    rows = {row.public_name: row for row in page.context["page"]}
    assert {name: row.calls for name, row in rows.items()} == {"clock__now": 2, "clock__then": 0}
    assert page.context["total"] == sum(row.tokens for row in rows.values()) > 0
    assert page.context["context"] == 1_047_576
    assert page.context["unused"] == 1
    unused: Any = admin_client.get(address(helper, "cost"), {"unused": "1"})
    assert [row.public_name for row in unused.context["page"]] == ["clock__then"]


def test_calls_of_other_assistants_do_not_count(
    admin_client: Client, helper: Assistant, clock: MCPTool
) -> None:
    run_with_calls(actions.create(by=BY, name="Other", tools=[clock]), clock, "now")
    page: Any = admin_client.get(address(helper, "cost"))
    assert [row.calls for row in page.context["page"]] == [0]


def test_queries_of_the_cost_do_not_grow(admin_client: Client, helper: Assistant, clock: MCPTool) -> None:
    def more() -> None:
        offer(clock, *(f"tool_{n}" for n in range(30)))
        with CaptureQueriesContext(connection) as counting:
            admin_client.get(address(helper, "cost"))
        assert sum("input_schema" in query["sql"] for query in counting) == 1

    run_with_calls(helper, clock, "now")
    assert_same_queries(lambda: admin_client.get(address(helper, "cost")), after=more)


def test_a_changed_definition_is_counted_anew(
    admin_client: Client, helper: Assistant, clock: MCPTool
) -> None:
    def total() -> int:
        page: Any = admin_client.get(address(helper, "cost"))
        return int(page.context["total"])

    before = total()
    schema = {"type": "object", "properties": {"zone": {"type": "string", "description": "A zone. " * 20}}}
    catalogue.record(clock.pk, [{"name": "now", "inputSchema": schema}])
    changed = total()
    assert changed > before
    ToolFunction.objects.update(overrides={"description": "words " * 100})
    assert total() > changed


def test_sizes_of_contexts() -> None:
    assert size_of("anthropic/claude-sonnet-4") == 200_000
    assert size_of("gpt-4o-mini") == 128_000
    assert size_of("our-own-model") is None
