from typing import Any

import pytest

from assistants.selection.used_tools import used
from tests.assistants.selection.conftest import functions, selecting

ASSISTANT = selecting(*functions(*"abc"))


def call(name: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def model(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "So.", **fields}


def test_called_tools_are_found_the_latest_first() -> None:
    messages = [
        {"role": "user", "content": "Go"},
        model(tool_calls=[call("time__a"), call("time__b")]),
        model(tool_calls=[call("time__a"), call("weather")]),
        model(),
    ]
    assert used(messages, ASSISTANT) == ["time__a", "time__b"]


def test_tools_of_an_extension_that_a_client_sends_back_are_found() -> None:
    extension = {"tool_calls": [{"name": "time__c", "server": "Time"}], "rounds": 2}
    assert used([model(mcp_connector=extension)], ASSISTANT) == ["time__c"]


def test_tools_that_were_called_through_a_meta_tool_are_found() -> None:
    calls = [
        call("call_tool", '{"name": "time__b", "arguments": {}}'),
        call("call_tool_2", '{"name": "time__c"}'),
    ]
    assert used([model(tool_calls=calls)], ASSISTANT) == ["time__b", "time__c"]


@pytest.mark.parametrize(
    "odd",
    [
        {"mcp_connector": 7},
        {"mcp_connector": {"tool_calls": "time__a"}},
        {"mcp_connector": {"tool_calls": [None, {"id": 1}, {"name": ["time__a"]}]}},
        {"tool_calls": [call("call_tool", "{broken")]},
        {"tool_calls": [call("call_tool", "[]")]},
        {"tool_calls": None},
    ],
)
def test_a_malformed_extension_or_call_is_ignored(odd: dict[str, Any]) -> None:
    assert used([model(**odd)], ASSISTANT) == []
