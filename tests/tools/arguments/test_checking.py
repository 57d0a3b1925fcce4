"""Arguments against the schema of their tool: checked, mended where that is harmless, never in the way."""

import asyncio
from typing import Any

import pytest

from tools.arguments import InvalidArguments, checked

ITEM = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["id"],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": ITEM, "maxItems": 3},
        "limit": {"type": "integer", "minimum": 1},
        "ratio": {"type": "number"},
        "all": {"type": "boolean"},
        "query": {"type": "string"},
        "options": {
            "type": "object",
            "properties": {"depth": {"type": "integer"}},
            "additionalProperties": False,
        },
        "order": {"enum": ["up", "down"]},
        "size": {"enum": [1, 2]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "tree": {"$ref": "#/$defs/Tree"},
    },
    "$defs": {"Tree": {"properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/Tree"}}}},
}


async def wrong(schema: Any, arguments: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidArguments) as invalid:
        await checked(schema, arguments)
    return [f"{each.where()}: {each.message}" for each in invalid.value.problems]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"items": [{"id": 1}, {"id": 2}, {"id": "x"}]},
            'arguments.items[2].id: expected integer, got string "x".',
        ),
        ({"items": [{}]}, "arguments.items[0].id: is required, and missing or null."),
        ({"items": [{"id": None}]}, "arguments.items[0].id: is required, and missing or null."),
        ({"items": {"id": 1}}, 'arguments.items: expected array, got object {"id": "..."}.'),
        ({"items": "[1"}, 'arguments.items: expected array, got string "[1".'),
        ({"limit": 0}, "arguments.limit: expected minimum 1, got integer 0."),
        ({"limit": "0"}, "arguments.limit: expected minimum 1, got integer 0."),
        ({"limit": 1.5}, "arguments.limit: expected integer, got number 1.5."),
        ({"all": "perhaps"}, 'arguments.all: expected boolean, got string "perhaps".'),
        ({"options": {"dpth": 1}}, "arguments.options.dpth: is not known. Known are: depth."),
        ({"order": "left"}, 'arguments.order: expected one of ["up", "down"], got string "left".'),
        ({"query": 7}, "arguments.query: expected string, got integer 7."),
        ({"maybe": "x"}, 'arguments.maybe: expected integer or null, got string "x".'),
        (
            {"tree": {"next": {"next": {"v": []}}}},
            "arguments.tree.next.next.v: expected integer, got array [].",
        ),
        ({"items": [{"id": n} for n in range(4)]}, "arguments.items: expected maxItems 3, got 4."),
    ],
)
async def test_what_is_wrong_is_told_by_its_path(arguments: dict[str, Any], problem: str) -> None:
    assert await wrong(SCHEMA, arguments) == [problem]


async def test_all_problems_are_told_at_once() -> None:
    found = await wrong(SCHEMA, {"limit": "x", "order": "left", "items": [{"id": 1}, {}]})
    assert {each.partition(":")[0] for each in found} == {
        "arguments.limit", "arguments.order", "arguments.items[1].id",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "mended"),
    [
        ({"limit": "5"}, {"limit": 5}),
        ({"limit": " -5 ", "ratio": "0.5"}, None),
        ({"ratio": "1e3"}, {"ratio": 1000.0}),
        ({"ratio": "7"}, {"ratio": 7}),
        ({"all": "true"}, {"all": True}),
        ({"all": "False"}, {"all": False}),
        ({"items": '[{"id": "7"}]'}, {"items": [{"id": 7}]}),
        ({"items": ['{"id": 7}']}, {"items": [{"id": 7}]}),
        ({"options": '{"depth": 2}'}, {"options": {"depth": 2}}),
        ({"options": None, "limit": None, "order": None, "query": "x"}, {"query": "x"}),
        ({"maybe": None}, {"maybe": None}),
        ({"maybe": "3"}, {"maybe": 3}),
        ({"size": "2"}, {"size": 2}),
        ({"tree": {"next": {"v": "1"}}}, {"tree": {"next": {"v": 1}}}),
        ({"query": "5"}, {"query": "5"}),
    ],
)
async def test_harmless_mistakes_are_mended(arguments: dict[str, Any], mended: Any) -> None:
    before = repr(arguments)
    if mended is None:
        await wrong(SCHEMA, arguments)
    else:
        assert await checked(SCHEMA, arguments) == mended
    assert repr(arguments) == before


async def test_sound_arguments_are_passed_on_as_they_are() -> None:
    arguments = {"items": [{"id": 1, "other": None}], "unknown": "1"}
    assert await checked(SCHEMA, arguments) is arguments


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"properties": {"a": {"type": "string", "required": True}}},
        {"properties": {"a": {"$ref": "#/nowhere"}}},
        {"properties": {"a": {"$ref": "https://example.com/x"}}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"minimum": 3, "exclusiveMinimum": True}}},
        {"properties": None},
        {"properties": {"a": {"pattern": "("}}},
        {"patternProperties": {"(": {}}, "additionalProperties": False},
        {"patternProperties": {"^(a+)+$": {"type": "string"}}, "additionalProperties": False},
        {"properties": {"a": {"type": "string", "description": "x" * 300_000}}},
        {"$schema": "https://example.com/dialect"},
        {"$schema": 7},
        {"$id": "http://["},
        {"properties": {"a": {"$id": "http://[", "type": "integer"}}},
    ],
    ids=lambda schema: str(schema)[:40],
)
async def test_a_schema_that_is_no_use_keeps_no_call_away(schema: dict[str, Any]) -> None:
    arguments = {"a": 1, "b" * 40: 2}
    assert await checked(schema, arguments) == arguments


async def test_a_property_may_be_called_as_a_keyword() -> None:
    schema = {
        "properties": {"$schema": {"type": "string"}, "patternProperties": {"type": "integer"}},
        "additionalProperties": False,
    }
    arguments = {"$schema": "x", "patternProperties": 1}
    assert await checked(schema, arguments) == arguments
    assert await wrong(schema, {"patternProperties": []})


async def test_what_is_costly_to_check_is_called_unchecked_and_holds_no_loop() -> None:
    parts: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}
    schema = {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**parts, "d30": {"type": "string"}}}
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    assert await checked(schema, {"a": 1}) == {"a": 1}
    turning.cancel()
    assert turns > 3


async def test_a_value_is_quoted_at_bounded_length() -> None:
    [problem] = await wrong({"properties": {"a": {"type": "integer"}}}, {"a": "x" * 100_000})
    assert len(problem) < 400


async def test_names_in_mended_texts_are_restored() -> None:
    schema = {
        "properties": {
            "a": {"type": "object", "properties": {"$b": {"type": "integer"}}, "required": ["$b"]}
        },
    }

    def restore(value: Any) -> Any:
        match value:
            case {"a": {"b": inner}}:
                return {"a": {"$b": inner}}
        return value

    assert await checked(schema, {"a": '{"b": "1"}'}, restore) == {"a": {"$b": 1}}
