"""Definitions of tools as servers send them."""

from typing import Any

import pytest

from connector.session.definitions import DESCRIPTION_LIMIT, usable_tools

VERSION = "2025-06-18"


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        {},
        {"type": ["object", "null"]},
        {"type": None},
        {"type": "object", "properties": None, "required": None},
        {"properties": {"a": {"type": "string", "required": True}}},
    ],
)
def test_a_tool_with_an_odd_schema_is_offered(schema: Any) -> None:
    [tool], rejected = usable_tools({"tools": [{"name": "f", "inputSchema": schema}]}, VERSION)
    assert (tool["inputSchema"]["type"], rejected) == ("object", set())


def test_a_description_that_was_cut_says_so() -> None:
    listed = {"name": "f", "inputSchema": {}, "description": "d" * 10_000}
    [tool], _ = usable_tools({"tools": [listed]}, VERSION)
    assert len(tool["description"]) == DESCRIPTION_LIMIT
    assert tool["description"].endswith("d [... cut here]")
