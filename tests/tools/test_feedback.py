"""Relevance feedback in the database."""

import pytest

from core.actor import Actor
from tools import actions, feedback
from tools.functions import catalogue
from tools.models import FunctionUse, MCPTool, ToolFunction

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


@pytest.fixture
def server() -> MCPTool:
    server = actions.register(by=BY, name="Maps", connection_type="stdio", command="uvx")
    schema = {"type": "object", "properties": {}}
    catalogue.record(server.pk, [{"name": name, "inputSchema": schema} for name in ("find", "route")])
    return server


def known() -> dict[tuple[int, str, str], tuple[int, list[float]]]:
    return {
        (row.used_by, row.function.name, row.embedder): (row.uses, [float(each) for each in row.requests])
        for row in FunctionUse.objects.select_related("function")
    }


def test_uses_are_counted_and_their_requests_summed(server: MCPTool) -> None:
    feedback.record(7, {(server.pk, "find"), (server.pk, "route")}, EAST, "e")
    feedback.record(7, {(server.pk, "find")}, NORTH, "e")
    assert known() == {(7, "find", "e"): (2, [1.0, 1.0]), (7, "route", "e"): (1, EAST)}


def test_feedback_is_separate_by_assistant_and_embedder(server: MCPTool) -> None:
    for used_by, embedder in ((7, "e"), (8, "e"), (7, "f")):
        feedback.record(used_by, {(server.pk, "find")}, EAST, embedder)
    assert known() == {
        (7, "find", "e"): (1, EAST),
        (8, "find", "e"): (1, EAST),
        (7, "find", "f"): (1, EAST),
    }


def test_an_embedder_that_changes_its_dimension_begins_anew(server: MCPTool) -> None:
    for vector in (EAST, EAST, [0.0, 0.0, 1.0]):
        feedback.record(7, {(server.pk, "find")}, vector, "e")
    assert known() == {(7, "find", "e"): (1, [0.0, 0.0, 1.0])}


def test_removed_tools_are_left_out(server: MCPTool) -> None:
    feedback.record(7, {(server.pk, "find"), (server.pk, "never"), (server.pk + 1, "find")}, EAST, "e")
    assert set(known()) == {(7, "find", "e")}
    ToolFunction.objects.get(name="find").delete()
    assert known() == {}


def test_the_feedback_of_an_assistant_is_deleted(server: MCPTool) -> None:
    for used_by in (7, 8):
        feedback.record(used_by, {(server.pk, "find")}, EAST, "e")
    feedback.forget(7)
    assert set(known()) == {(8, "find", "e")}
