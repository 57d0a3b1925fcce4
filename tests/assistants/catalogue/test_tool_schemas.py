"""Schemas as servers write them, and as LLM services accept them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from assistants.catalogue.tool_schemas import offered, plain
from core.schema_checks import METASCHEMA

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def parameter(schema: Any) -> Any:
    """Returns how a property is offered."""
    return offered({"type": "object", "properties": {"a": schema}}).schema["properties"].get("a")


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for name in ("items", "additionalProperties", "not"):
            yield from schemas_in(schema.get(name))
        for name in ("anyOf", "oneOf", "allOf"):
            for each in schema.get(name, ()):
                yield from schemas_in(each)
        for each in schema.get("properties", {}).values():
            yield from schemas_in(each)


def require_acceptable(schema: dict[str, Any]) -> None:
    """Fails for what OpenAI, Anthropic or Gemini refuse."""
    assert schema["type"] == "object"
    assert isinstance(schema["properties"], dict)
    assert not schema.keys() & {"anyOf", "oneOf", "allOf", "not", "enum", "$ref", "$schema", "$id", "$defs"}
    assert METASCHEMA.is_valid(schema)
    for each in schemas_in(schema):
        assert "$ref" not in each
        assert each.get("type") != "array" or isinstance(each["items"], dict)
        assert set(each.get("required", ())) <= each.get("properties", {}).keys()
        for name, inner in each.get("properties", {}).items():
            assert re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", name)
            assert isinstance(inner, dict)


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_alternatives_at_the_top_keep_all_properties(keyword: str) -> None:
    one = {"properties": {"kind": {"const": "file"}, "path": TEXT}, "required": ["kind", "path"]}
    other = {
        "type": "object",
        "properties": {"kind": {"const": "url"}, "url": TEXT},
        "required": ["kind", "url"],
    }
    schema = {"type": "object", "properties": {"id": NUMBER}, "required": ["id"], keyword: [one, other]}
    assert offered(schema).schema == {
        "type": "object",
        "properties": {
            "id": NUMBER,
            "kind": {"type": "string", "enum": ["file", "url"]},
            "path": TEXT,
            "url": TEXT,
        },
        "required": ["id", "kind"],
    }


def test_all_of_at_the_top_is_united() -> None:
    schema = {
        "allOf": [
            {"properties": {"a": TEXT}, "required": ["a"]},
            {"$ref": "#/$defs/B"},
            {"anyOf": [{"properties": {"c": NUMBER}}, {"required": ["a"]}]},
        ],
        "$defs": {"B": {"properties": {"b": NUMBER}, "required": ["b"]}},
    }
    united = offered(schema).schema
    assert united["properties"] == {"a": TEXT, "b": NUMBER, "c": NUMBER}
    assert united["required"] == ["a", "b"]


def test_a_property_with_different_schemas_in_two_branches_may_be_either() -> None:
    schema = {"anyOf": [{"properties": {"a": TEXT}}, {"properties": {"a": NUMBER}}, {"type": "null"}]}
    assert offered(schema).schema["properties"] == {"a": {"anyOf": [TEXT, NUMBER]}}


def test_properties_of_conditions_are_offered() -> None:
    schema = {"properties": {"a": TEXT}, "if": {"required": ["a"]}, "then": {"properties": {"b": TEXT}}}
    assert offered(schema).schema["properties"] == {"a": TEXT, "b": TEXT}


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"type": ["array", "null"]}, {"type": ["array", "null"], "items": {}}),
        ({"items": [NUMBER, NUMBER]}, {"type": "array", "items": NUMBER}),
        (
            {"type": "array", "prefixItems": [NUMBER, TEXT]},
            {"type": "array", "items": {"anyOf": [NUMBER, TEXT]}},
        ),
        (
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
            {"type": "integer", "exclusiveMinimum": 3},
        ),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": False}, {"type": "integer", "maximum": 3}),
        ({"type": "integer", "exclusiveMaximum": True}, NUMBER),
        ({"properties": {"b": TEXT}}, {"type": "object", "properties": {"b": TEXT}}),
        ({"type": "object", "properties": None, "required": None}, {"type": "object", "properties": {}}),
        ({"type": "string", "$id": "x", "$schema": "y", "$comment": "z", "x-order": 1}, TEXT),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "any"}, {}),
        ({"type": "STRING"}, TEXT),
        ({"type": "int"}, NUMBER),
        ("string", TEXT),
        (True, {}),
        (None, {}),
        (False, None),
        ({"type": "string", "minLength": "3", "description": None}, TEXT),
        ({"anyOf": []}, {}),
        ({"anyOf": None, "type": "string"}, TEXT),
        ({"const": "x"}, {"type": "string", "enum": ["x"]}),
        ({"enum": []}, {}),
        ({"type": "string", "enum": ["x", "x", None]}, {"type": "string", "enum": ["x"]}),
        ({"type": "integer", "enum": ["x"]}, {"type": "string", "enum": ["x"]}),
        ({"enum": ["x", None]}, {"type": ["string", "null"], "enum": ["x", None]}),
        (
            {"enum": [1, "x"]},
            {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "string", "enum": ["x"]}]},
        ),
        (
            {"patternProperties": {"^x": NUMBER}, "type": "object"},
            {"type": "object", "additionalProperties": NUMBER},
        ),
        ({"$ref": "#/nowhere", "description": "d"}, {"description": "d"}),
        ({"$ref": "https://example.com/schema"}, {}),
    ],
)
def test_what_services_refuse_is_mended(given: Any, mended: Any) -> None:
    assert parameter(given) == mended
    nested = parameter({"type": "object", "properties": {"b": given}})
    assert nested["properties"].get("b") == mended


@pytest.mark.parametrize(
    ("schema", "required"),
    [
        ({"properties": {"a": {"type": "string", "required": True}, "b": {"required": False}}}, ["a"]),
        ({"properties": {"a": TEXT}, "required": None}, None),
        ({"properties": {"a": TEXT}, "required": "a"}, ["a"]),
        ({"properties": {"a": TEXT}, "required": ["a", "a", 7]}, ["a"]),
        ({"properties": {"a": False}, "required": ["a"]}, None),
    ],
)
def test_required_is_a_list_of_names(schema: dict[str, Any], required: Any) -> None:
    mended = offered(schema).schema
    assert mended.get("required") == required
    require_acceptable(mended)


def test_what_is_required_is_declared() -> None:
    assert offered({"required": ["a"]}).schema["properties"] == {"a": {}}


def test_references_are_written_out_and_recursion_ends() -> None:
    node = {"type": "object", "properties": {"name": TEXT, "next": {"$ref": "#/$defs/Node"}}}
    schema = offered({"properties": {"list": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}).schema
    outline = {"type": "object"}
    inner = {"type": "object", "properties": {"name": TEXT, "next": outline}}
    assert schema["properties"]["list"] == {"type": "object", "properties": {"name": TEXT, "next": inner}}


@pytest.mark.parametrize("reference", ["#", "#/properties/a", "#tree"])
def test_a_schema_that_is_nothing_but_itself_is_mended(reference: str) -> None:
    schema = {"$anchor": "tree", "properties": {"a": {"$ref": reference}}, "$ref": reference}
    require_acceptable(offered(schema).schema)


def test_references_that_double_themselves_are_bounded() -> None:
    parts: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = offered({"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**parts, "d40": TEXT}}).schema
    assert len(json.dumps(schema)) < 100_000
    require_acceptable(schema)


ODD_NAMES = {
    "type": "object",
    "properties": {
        "$filter": TEXT,
        "filter": TEXT,
        "": TEXT,
        "x" * 70: NUMBER,
        "x" * 64: NUMBER,
        "with space": {"type": "array", "items": {"$ref": "#/$defs/Inner"}},
        "any": {"anyOf": [{"properties": {"größe": NUMBER}}, TEXT]},
        "free": {"type": "object"},
        "map": {"additionalProperties": {"properties": {"a/b": TEXT}}},
    },
    "required": ["$filter", "with space"],
    "$defs": {
        "Inner": {"type": "object", "properties": {"filter[name]": TEXT}, "required": ["filter[name]"]}
    },
}


def test_names_that_services_refuse_are_renamed_and_mapped_back() -> None:
    tool = offered(ODD_NAMES)
    require_acceptable(tool.schema)
    accepted = {own: name for name, own in tool.names.items()}
    assert len(set(tool.schema["properties"])) == len(ODD_NAMES["properties"])  # type: ignore[arg-type]
    assert accepted["$filter"] not in ("filter", "$filter")
    inner = {accepted["filter[name]"]: "n"}
    arguments = {
        accepted["$filter"]: "f",
        "filter": "g",
        accepted["x" * 70]: 1,
        accepted["with space"]: [inner],
        "any": {accepted["größe"]: 5},
        "free": {accepted["$filter"]: "its own"},
        "map": {"key": {accepted["a/b"]: "c"}},
    }
    assert tool.restored(arguments) == {
        "$filter": "f",
        "filter": "g",
        "x" * 70: 1,
        "with space": [{"filter[name]": "n"}],
        "any": {"größe": 5},
        "free": {accepted["$filter"]: "its own"},
        "map": {"key": {"a/b": "c"}},
    }
    assert tool.restored({"$filter": "f"}) == {"$filter": "f"}
    assert tool.restored(tool.restored(arguments)) == tool.restored(arguments)
    assert tool.restored({"with space": "no list"}) == {"with space": "no list"}


def test_a_sound_schema_is_offered_as_it_is() -> None:
    schema = {
        "type": "object",
        "description": "d",
        "properties": {
            "title": {"type": "string", "title": "Title", "maxLength": 9, "default": "", "examples": ["x"]},
            "n": {"anyOf": [NUMBER, {"type": "null"}], "default": None},
            "list": {"type": "array", "items": {"oneOf": [TEXT, NUMBER]}, "uniqueItems": True},
        },
        "required": ["title"],
        "additionalProperties": False,
    }
    assert offered(schema).schema == schema


def test_services_of_one_type_a_schema_get_alternatives() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "description": "d", "maxLength": 3},
            "b": {"type": "integer", "enum": [1, 2]},
            "type": {"type": "string"},
        },
    }
    assert plain(schema)["properties"] == {
        "a": {"description": "d", "anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        "b": {"type": "string", "enum": ["1", "2"]},
        "type": {"type": "string"},
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"properties": [1]},
        {"properties": {"a": {"properties": 7, "required": 7, "items": 7, "enum": 7, "type": 7}}},
        {"properties": {"a": {"type": [], "anyOf": [7, None, "x"]}}},
        {"properties": {"a": {"$ref": 7}}},
        {"$defs": 7, "allOf": {}, "anyOf": [False, True], "oneOf": "x"},
        {"type": "array", "items": {}},
        {"properties": {"a": {"additionalProperties": "x", "not": 7, "if": []}}},
        {"then": True, "else": {"required": ["q"]}},
    ],
)
def test_what_is_no_schema_becomes_one(odd: dict[str, Any]) -> None:
    require_acceptable(offered(odd).schema)


def test_a_deep_schema_is_cut() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(60):
        schema = {"type": "object", "properties": {"a": schema}}
    require_acceptable(offered(schema).schema)
