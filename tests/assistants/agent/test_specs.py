"""Tool definitions: the part of a function that the model sees, and what Strands makes it cost."""

import copy
import gc
from typing import Any, cast
from weakref import ref

import orjson
import pytest

from assistants.agent.equipment import equipment
from assistants.agent.llm.spec import Spec
from assistants.agent.run_request import RunRequest
from assistants.agent.tool_selection import _server_tools
from assistants.agent.tools import ClientTool, ServerTool, Toolbox, server_tools
from assistants.catalogue import definitions
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import ServerEntry
from assistants.selection.budget import SelectedTool
from tests.assistants.agent.conftest import client_tool, entry, function

SERVER = ServerEntry(1, "Calculator", "calc")
LOCAL = Endpoint("http://127.0.0.1:9/v1", "", "m")


def definition(tool: ServerTool | ClientTool) -> Any:
    spec = tool.tool_spec
    assert isinstance(spec, Spec)
    return orjson.loads(orjson.dumps(spec.definition))


def test_a_function_is_defined_as_openai_wants_it() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    assert definition(ServerTool(function("add", server=SERVER, input_schema=schema))) == {
        "type": "function",
        "function": {"name": "calc__add", "description": "The function add", "parameters": schema},
    }


@pytest.mark.parametrize(
    ("schema", "offered"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"type": "string"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "object", "properties": None}, {"type": "object", "properties": {}}),
        (
            {"anyOf": [{"required": ["a"]}], "properties": {"a": {}}},
            {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        ),
    ],
)
def test_a_schema_that_services_refuse_is_repaired(schema: Any, offered: Any) -> None:
    tool = ServerTool(function(server=SERVER, input_schema=schema))
    assert definition(tool)["function"]["parameters"] == offered


def test_a_callers_tool_is_passed_on_as_it_came() -> None:
    given = client_tool("weather")
    assert definition(ClientTool(given)) == given


def test_a_copy_of_the_specs_copies_no_schema() -> None:
    toolbox = Toolbox([ServerTool(function(name, server=SERVER)) for name in ("add", "sub")])
    specs = toolbox.get_all_tool_specs()
    assert all(copied is spec for copied, spec in zip(copy.deepcopy(specs), specs, strict=True))


def test_names_that_differ_by_a_hyphen_go_together() -> None:
    assert list(Toolbox([ServerTool(function(name, server=SERVER)) for name in ("a-b", "a_b")]).registry) == [
        "calc__a-b",
        "calc__a_b",
    ]


def test_the_tools_of_an_assistant_are_made_once_and_go_with_it() -> None:
    assistant = entry(LOCAL, functions=(function(server=SERVER),))
    [tool] = server_tools(assistant)
    assert server_tools(assistant) == (tool,)
    remains = ref(tool)
    del assistant, tool
    gc.collect()
    assert remains() is None


def test_the_model_is_offered_no_more_tools_than_services_take_and_the_callers_first() -> None:
    functions = tuple(function(f"f{number}", server=SERVER) for number in range(200))
    request = RunRequest(entry(LOCAL, functions=functions), [], client_tools=[client_tool("mine")])
    toolbox, _ = equipment(request, {}, cast(Any, None), print)
    names = list(toolbox.registry)
    assert (len(names), names[-1]) == (128, "mine")


def test_what_is_called_without_its_definition_is_a_tool_that_all_runs_share() -> None:
    assistant = entry(LOCAL, functions=(function("add", server=SERVER), function("sub", server=SERVER)))
    registry = Toolbox((), unlisted=assistant).registry
    assert registry.get("calc__sub") is server_tools(assistant)[1]
    assert registry.get("calc__mul") is None


def test_selected_tools_are_shared_by_all_runs_with_whole_definitions_and_with_lean_ones() -> None:
    long = {"type": "object", "properties": {"a": {"type": "integer", "description": "A number. " * 20}}}
    add = function(server=SERVER, input_schema=long)
    assistant = entry(LOCAL, functions=(add,))
    selected = [SelectedTool(add), SelectedTool(add, is_lean=True)]
    [whole, lean] = _server_tools(assistant, selected)
    assert whole is server_tools(assistant)[0]
    assert definition(lean) == definitions.lean(add.definition)
    assert _server_tools(assistant, selected) == [whole, lean]
