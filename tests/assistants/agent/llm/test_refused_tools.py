"""How services name the tool for which they refuse a request."""

import orjson
import pytest

from assistants.agent.llm.errors import status_failure, stream_failure
from assistants.agent.llm.refused_tools import refused
from assistants.agent.llm.spec import Spec
from assistants.errors import UpstreamFailed, UpstreamRefused
from tests.assistants.agent.conftest import client_tool

SPECS = [Spec.of(client_tool(name)) for name in ("calc__add", "calc__add-2", "notes__search", "search")]
OPENAI = (
    "Invalid schema for function 'calc__add-2': In context=('properties', 'a'), array schema missing items."
)


def failure(text: str, status: int = 400, **fields: object) -> UpstreamFailed:
    return status_failure(status, {}, orjson.dumps({"error": {"message": text, **fields}}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (OPENAI, "calc__add-2"),
        ("Invalid 'tools[2].function.parameters': not an object.", "notes__search"),
        ("tools.0.custom.input_schema: JSON schema is invalid.", "calc__add"),
        ("tools.1.custom.input_schema.properties: Property keys should match pattern", "calc__add-2"),
        (
            "* GenerateContentRequest.tools[0].function_declarations[2].parameters.properties[a].items: no",
            "notes__search",
        ),
        ("Unknown name \"x\" at 'tools[0].function_declarations[1].parameters': no field.", "calc__add-2"),
        ("Invalid value at 'tools[0].functionDeclarations[3]'", "search"),
        ("Value at 'toolConfig.tools.1.member.toolSpec.name' failed to satisfy constraint", "calc__add"),
        ("The value at toolConfig.tools.1.toolSpec.inputSchema.json.type must be object.", "calc__add-2"),
        ("[{'type': 'dict_type', 'loc': ('body', 'tools', 3, 'function', 'parameters')}]", "search"),
        ('{"error": {"message": "Invalid function name \\"notes__search\\""}}', "notes__search"),
        ("Tool calc__add has an invalid schema.", "calc__add"),
        ("The schema of `search` is not supported.", "search"),
        ("registry.example/m does not support tools", None),
        ("Invalid 'tools[200].function.parameters'", None),
        ("Invalid 'messages[2].tool_calls[0].function.name': 'search'", None),
        ("tool_choice: 'search' is not among the tools.", None),
        ("You asked for a web search, which is not enabled.", None),
        ("temperature is not supported with this model.", None),
    ],
)  # fmt: skip
def test_the_refused_tool_is_recognised(text: str, name: str | None) -> None:
    found = refused(failure(text), SPECS)
    assert (found and found["name"]) == name


def test_the_parameter_tells_it_too() -> None:
    found = refused(failure("Invalid schema.", param="tools[3].function.parameters"), SPECS)
    assert found is SPECS[3]


def test_an_error_in_the_stream_tells_it_too() -> None:
    assert refused(stream_failure({"code": 400, "message": OPENAI}), SPECS) is SPECS[1]


@pytest.mark.parametrize(
    "other", [failure(OPENAI, 500), failure(OPENAI, 401), UpstreamFailed("upstream_error", OPENAI)]
)
def test_other_failures_refuse_no_tool(other: UpstreamFailed) -> None:
    assert refused(other, SPECS) is None


def test_what_the_service_wrote_is_shown_nowhere() -> None:
    refusal = failure("Tool calc__add: sk-secret")
    assert isinstance(refusal, UpstreamRefused)
    assert "sk-secret" not in f"{refusal} {refusal!r} {refusal.args} {refusal.get_full_details()}"
