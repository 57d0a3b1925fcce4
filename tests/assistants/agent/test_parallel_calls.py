"""Several calls in one turn, in the fragments that real LLM services make of them."""

import json
from typing import Any

import pytest

from tests.assistants.agent.conftest import Assistant, client_tool
from tests.assistants.agent.turns import WEATHER, call, client_calls, sse, whole

PARALLEL: dict[str, list[list[dict[str, Any]]]] = {
    "index 0 each": [[call("weather", '{"n":1}', index=0)], [call("weather", '{"n":2}', index=0)]],
    "neither index nor id": [[call("weather", '{"n":1}')], [call("weather", '{"n":2}')]],
    "two in one chunk": [[call("weather", '{"n":1}'), call("weather", '{"n":2}')]],
    "two in one chunk with index 0": [
        [call("weather", '{"n":1}', index=0), call("weather", '{"n":2}', index=0)]
    ],
    "two in one chunk, continued": [
        [call("weather", '{"n"'), call("weather", '{"n"')],
        [{"function": {"arguments": ":1}"}}, {"function": {"arguments": ":2}"}}],
    ],
    "two in one chunk, continued one by one": [
        [call("weather", '{"n"'), call("weather", '{"n"')],
        [{"function": {"arguments": ":1}"}}],
        [{"function": {"arguments": ":2}"}}],
    ],
    "one id for both": [
        [call("weather", '{"n":1}', index=0, id="x")],
        [call("weather", '{"n":2}', index=0, id="x")],
    ],
    "one id for both without an index": [
        [call("weather", '{"n":1}', id="x")],
        [call("weather", '{"n":2}', id="x")],
    ],
    "continued without an index": [
        [call("weather", '{"n"', index=0, id="x")],
        [{"function": {"arguments": ":1}"}}],
        [call("weather", '{"n"', index=1, id="y")],
        [{"function": {"arguments": ":2}"}}],
    ],
    "the name in each fragment": [
        [call("weather", '{"n"', index=0)],
        [call("weather", ":1}", index=0)],
        [call("weather", '{"n"', index=0)],
        [call("weather", ":2}", index=0)],
        [call("weather", "", index=0)],
    ],
    "the name before its arguments, without an id": [
        [call("weather", "", index=0)],
        [{"index": 0, "function": {"arguments": '{"n":1}'}}],
        [call("weather", "", index=0)],
        [{"index": 0, "function": {"arguments": '{"n"'}}],
        [{"index": 0, "function": {"arguments": ":2}"}}],
    ],
    "the name before its arguments, without anything": [
        [call("weather", "")],
        [{"function": {"arguments": '{"n":1}'}}],
        [call("weather", "")],
        [{"function": {"arguments": '{"n":2}'}}],
    ],
    "objects": [[call("weather", {"n": 1}, index=0)], [call("weather", {"n": 2}, index=0)]],
    "the id last": [
        [call("weather", '{"n":1}')],
        [{"id": "x", "function": {"arguments": ""}}],
        [call("weather", '{"n":2}')],
        [{"id": "y"}],
    ],
    "empty ids and names in continuations": [
        [call("weather", "", index=0, id="x")],
        [{"index": 0, "id": "", "function": {"name": "", "arguments": '{"n":1}'}}],
        [call("weather", "", index=1, id="y")],
        [{"index": 1, "id": "", "function": {"name": "", "arguments": '{"n":2}'}}],
    ],
    "the id before the name": [
        [{"id": "x"}],
        [{"function": {"name": "weather"}}],
        [{"function": {"arguments": '{"n":1}'}}],
        [{"id": "y"}],
        [{"function": {"name": "weather"}}],
        [{"function": {"arguments": '{"n":2}'}}],
    ],
    "a new id in each fragment": [
        [call("weather", '{"n"', index=0, id="a")],
        [{"index": 0, "id": "b", "function": {"arguments": ":1}"}}],
        [call("weather", '{"n"', index=1, id="c")],
        [{"index": 1, "id": "d", "function": {"arguments": ":2}"}}],
    ],
    "interleaved by id": [
        [call("weather", '{"n"', id="x")],
        [call("weather", '{"n"', id="y")],
        [{"id": "x", "function": {"arguments": ":1}"}}],
        [{"id": "y", "function": {"arguments": ":2}"}}],
    ],
    "an index for each fragment": [
        [call("weather", '{"n"', index=0, id="x")],
        [{"index": 1, "function": {"arguments": ":1}"}}],
        [call("weather", '{"n"', index=2, id="y")],
        [{"index": 3, "function": {"arguments": ":2}"}}],
    ],
    "the whole call once more": [
        [call("weather", '{"n":1}', index=0, id="x")],
        [call("weather", '{"n":2}', index=1, id="y")],
        [call("weather", '{"n":1}', index=0, id="x"), call("weather", '{"n":2}', index=1, id="y")],
    ],
}


@pytest.mark.parametrize("name", PARALLEL)
async def test_parallel_calls_are_two(assistant: Assistant, name: str) -> None:
    assistant.script(sse(*({"tool_calls": fragments} for fragments in PARALLEL[name])))
    calls = client_calls(await assistant.events(client_tools=WEATHER))
    assert [(each.name, json.loads(each.arguments)) for each in calls] == [
        ("weather", {"n": 1}),
        ("weather", {"n": 2}),
    ]
    assert len({each.id for each in calls}) == 2


@pytest.mark.parametrize("same", [{}, {"index": 0}, {"id": "x"}, {"id": ""}, {"index": 0, "id": "x"}])
async def test_two_calls_of_a_whole_answer_are_two(assistant: Assistant, same: dict[str, Any]) -> None:
    given = [call("weather", '{"n":1}', **same), call("weather", '{"n":1}', **same)]
    assistant.script(whole({"role": "assistant", "content": None, "tool_calls": given}))
    assert len(client_calls(await assistant.events(client_tools=WEATHER))) == 2


@pytest.mark.parametrize("fragments", [[[call("a", ""), call("b", "")]], [[call("a", "")], [call("b", "")]]])
async def test_calls_without_arguments_are_two(assistant: Assistant, fragments: Any) -> None:
    assistant.script(sse(*({"tool_calls": each} for each in fragments)))
    calls = client_calls(await assistant.events(client_tools=[client_tool("a"), client_tool("b")]))
    assert [each.name for each in calls] == ["a", "b"]
