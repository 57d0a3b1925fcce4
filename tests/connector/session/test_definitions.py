"""Definitions of tools as servers send them."""

from typing import Any

import pytest

from connector.session.definitions import DESCRIPTION_LIMIT, EXTRA_LIMIT, usable_capabilities, usable_tools

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


EXTRA = {"icons": [{"src": "https://x.example/i.png", "x": 1}], "_meta": {"a": None}, "unheard": {"of": []}}


def test_other_fields_of_a_tool_are_kept_as_they_are() -> None:
    listed = {"name": "f", "inputSchema": {"type": "object"}, **EXTRA}
    assert usable_tools({"tools": [listed]}, VERSION) == ([listed], set())


@pytest.mark.parametrize("extra", [{"icons": "none"}, {"icons": [{"src": "data:" + "x" * EXTRA_LIMIT}]}])
def test_a_tool_whose_other_fields_are_unusable_is_offered_without_them(extra: Any) -> None:
    [tool], rejected = usable_tools({"tools": [{"name": "f", "inputSchema": {}, **extra}]}, VERSION)
    assert (tool["name"], "icons" in tool, rejected) == ("f", False, set())


def test_other_fields_of_a_resource_are_kept_as_they_are() -> None:
    listed = {"uri": "memo://a", "name": "a", "annotations": {"priority": 1.0}, **EXTRA}
    assert usable_capabilities("resources/list", {"resources": [listed]}, VERSION)["resources"] == [listed]
    [kept] = usable_capabilities("resources/list", {"resources": [{**listed, "icons": 7}]}, VERSION)[
        "resources"
    ]
    assert kept == {name: listed[name] for name in ("uri", "name", "annotations")}


def test_other_fields_may_have_numbers_that_cannot_be_sent_on() -> None:
    listed = {"name": "f", "inputSchema": {"type": "object"}, "_meta": {"most": 2**256}}
    [tool], rejected = usable_tools({"tools": [listed]}, VERSION)
    assert (tool["_meta"], rejected) == ({"most": float(2**256)}, set())
