from typing import Any

import pytest

from assistants.catalogue import definitions
from assistants.catalogue.tool_schemas import Offered, offered


def test_a_lean_definition_leaves_out_explanations() -> None:
    schema = {
        "type": "object",
        "title": "Arguments",
        "required": ["description"],
        "properties": {
            "description": {"type": "string", "description": "What for", "default": "", "examples": ["x"]},
            "unit": {"enum": ["C", "F"], "title": "Unit"},
            "places": {"type": "array", "items": {"$ref": "#/$defs/title"}},
        },
        "$defs": {"title": {"type": "string", "description": "A title"}},
    }
    whole = definitions.whole("f", "d" * 500, Offered(schema))
    function = definitions.lean(whole)["function"]
    assert function["parameters"] == {
        "type": "object",
        "required": ["description"],
        "properties": {
            "description": {"type": "string"},
            "unit": {"enum": ["C", "F"]},
            "places": {"type": "array", "items": {"$ref": "#/$defs/title"}},
        },
        "$defs": {"title": {"type": "string"}},
    }
    assert function["description"] == "d" * 185 + " [... cut here]"
    assert (
        definitions.lean(definitions.whole("f", "Short.", offered({})))["function"]["description"] == "Short."
    )


@pytest.mark.parametrize(
    "odd", [{"properties": []}, {"properties": {"a": True}}, {"items": None}, {"$defs": 7}]
)
def test_a_malformed_schema_can_be_made_lean(odd: dict[str, Any]) -> None:
    definitions.lean(definitions.whole("f", "", offered({"type": "object", **odd})))


def test_other_scripts_than_latin_take_more_tokens() -> None:
    latin, thai = (definitions.tokens(definitions.whole("f", text * 300, offered({}))) for text in ("a", "ก"))
    assert latin == pytest.approx(300 / 3 + 30, abs=10)
    assert thai == pytest.approx(300 * 3 / 2 + 30, abs=10)
