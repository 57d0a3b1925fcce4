"""Tools of every type that clients such as Codex bring, their calls, and the items that report them."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.assistants.openai_api.responses.conftest import ECHO, LOOK
from tests.assistants.openai_api.responses.test_stream import streamed
from tests.llm import ScriptedLLM

PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Patches files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: LINE"},
}
AGENTS: dict[str, Any] = {
    "type": "namespace",
    "name": "agents",
    "description": "Other agents.",
    "tools": [LOOK | {"name": "spawn"}, LOOK],
}
SHELL: dict[str, Any] = {"type": "local_shell"}
HOSTED = [{"type": "web_search", "external_web_access": False}, {"type": "image_generation"}]
CODEX: dict[str, Any] = {
    "tools": [LOOK, PATCH, AGENTS, SHELL, *HOSTED],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "01a2",
    "client_metadata": {"thread_id": "01a2"},
    "service_tier": "priority",
    "text": {"verbosity": "low"},
}


def respond(http: httpx.Client, model: str, **fields: Any) -> dict[str, Any]:
    answer = http.post("/v1/responses", json={"model": model, "input": "Go"} | fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def offered(llm: ScriptedLLM, model: str) -> dict[str, dict[str, Any]]:
    return {tool["function"]["name"]: tool["function"] for tool in llm.bodies(model)[-1].get("tools", [])}


def calling(name: str, arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


def test_what_codex_sends_is_taken(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Ready."})
    response = respond(http, model, **CODEX)
    assert response["output"][-1]["content"][0]["text"] == "Ready."
    functions = offered(llm, model)
    assert [*functions] == ["look", "apply_patch", "spawn", "agents__look", "local_shell"]
    assert functions["agents__look"]["parameters"] == LOOK["parameters"]
    assert functions["apply_patch"]["parameters"]["required"] == ["input"]
    assert "start: LINE" in functions["apply_patch"]["description"]
    assert [tool["type"] for tool in response["tools"]] == ["function", "custom", "namespace", "local_shell"]
    left_out = response["mcp_connector"]["warnings"]
    assert [each["param"] for each in left_out] == ["tools[4]", "tools[5]", "include[0]"]
    body = llm.bodies(model)[0]
    assert (body["prompt_cache_key"], body["service_tier"], body["verbosity"]) == ("01a2", "priority", "low")


def test_nothing_left_out_is_nothing_told(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Ready."})
    assert "warnings" not in respond(http, model, tools=[LOOK, PATCH])["mcp_connector"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"input": "*** Begin"}, "*** Begin"), ("*** Begin", "*** Begin"), ({"in": 1}, '{"in": 1}')],
)
def test_a_custom_tool_is_called_with_a_text(
    http: httpx.Client, llm: ScriptedLLM, model: str, arguments: Any, text: str
) -> None:
    llm.script(model, calling("apply_patch", arguments), {"text": "Done."})
    events = streamed(http, model, tools=[PATCH], store=True)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[2:6] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert events[4]["input"] == text
    response = events[-1]["response"]
    [call] = response["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "apply_patch", text)
    result = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Success"}
    respond(http, model, tools=[PATCH], input=[result], previous_response_id=response["id"])
    *_, turn, answer = llm.bodies(model)[-1]["messages"]
    assert answer["content"] == "Success"
    assert turn["tool_calls"][0]["function"]["name"] == "apply_patch"


def test_a_call_in_a_namespace_says_so(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    calls = [{"name": name, "arguments": {"at": "it"}} for name in ("look", "spawn", "agents__look")]
    llm.script(model, {"tool_calls": calls}, {"text": "Seen."})
    history: list[dict[str, Any]] = [{"role": "user", "content": "Look"}]
    output = respond(http, model, tools=[LOOK, AGENTS], input=history, store=False)["output"]
    named = [(call["type"], call["name"], call.get("namespace")) for call in output]
    assert named == [
        ("function_call", "look", None),
        ("function_call", "spawn", "agents"),
        ("function_call", "look", "agents"),
    ]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "x"} for call in output]
    respond(http, model, tools=[LOOK, AGENTS], input=[*history, *output, *results], store=False)
    turn = llm.bodies(model)[-1]["messages"][1]
    assert [call["function"]["name"] for call in turn["tool_calls"]] == ["look", "spawn", "agents__look"]


def test_the_callers_shell(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, calling("local_shell", {"command": ["ls"], "timeout_ms": 5}), {"text": "Done."})
    first = respond(http, model, tools=[SHELL])
    [call] = first["output"]
    assert (call["type"], call["status"]) == ("local_shell_call", "completed")
    assert call["action"] == {
        "type": "exec",
        "command": ["ls"],
        "env": {},
        "timeout_ms": 5,
        "user": None,
        "working_directory": None,
    }
    result = {"type": "local_shell_call_output", "id": call["call_id"], "output": "a.txt"}
    second = respond(http, model, tools=[SHELL], input=[result], previous_response_id=first["id"])
    assert second["output"][0]["content"][0]["text"] == "Done."
    assert llm.bodies(model)[-1]["messages"][-1]["content"] == "a.txt"


def test_tools_that_an_item_adds(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "Ready.", "repeat": True})
    added = {"type": "additional_tools", "role": "developer", "tools": [LOOK, PATCH, HOSTED[0]]}
    items = [{"role": "user", "content": "Go"}, added, added]
    first = respond(http, model, tools=[LOOK], input=items)
    assert [*offered(llm, model)] == ["look", "apply_patch"]
    assert first["mcp_connector"]["warnings"][0]["param"] == "input[1].tools[2]"
    respond(http, model, previous_response_id=first["id"])
    assert [*offered(llm, model)] == ["look", "apply_patch"]


def test_items_of_other_services_are_left_out_with_a_word(
    http: httpx.Client, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Ready."})
    history = [
        {"role": "user", "content": "Go"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"type": "compaction", "encrypted_content": "gAAB"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    ]
    told = respond(http, model, input=history)["mcp_connector"]["warnings"]
    assert [each["param"] for each in told] == ["input[1]", "input[2]"]
    assert [message["role"] for message in llm.bodies(model)[0]["messages"]] == ["user"]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_allowed_tools_are_offered(
    http: httpx.Client, llm: ScriptedLLM, equipped: str, mode: str
) -> None:
    llm.script(equipped, {"text": "Hm.", "repeat": True})
    allowed = [
        {"type": "function", "name": "look"},
        {"type": "mcp", "server_label": "respondents", "name": "echo"},
    ]
    choice = {"type": "allowed_tools", "mode": mode, "tools": allowed}
    response = respond(http, equipped, tools=[LOOK, PATCH], tool_choice=choice)
    assert sorted(offered(llm, equipped)) == ["look", "respondents__echo"]
    assert llm.bodies(equipped)[0]["tool_choice"] == mode
    assert response["tool_choice"] == choice
    listed = next(item for item in response["output"] if item["type"] == "mcp_list_tools")
    assert [tool["name"] for tool in listed["tools"]] == ["echo"]


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        ({"type": "namespace", "name": "agents"}, ["agents__look", "spawn"]),
        ({"type": "function", "name": "look", "namespace": "agents"}, ["agents__look"]),
        ({"type": "custom", "name": "apply_patch"}, ["apply_patch"]),
        ({"type": "local_shell"}, ["local_shell"]),
        ({"type": "web_search"}, []),
    ],
)
def test_what_an_allowed_tool_stands_for(
    http: httpx.Client, llm: ScriptedLLM, equipped: str, allowed: dict[str, Any], names: list[str]
) -> None:
    llm.script(equipped, {"text": "Hm."})
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [allowed]}
    respond(http, equipped, tools=[LOOK, PATCH, AGENTS, SHELL, *HOSTED], tool_choice=choice)
    assert sorted(offered(llm, equipped)) == names


def test_a_custom_tool_can_be_forced(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, calling("apply_patch", {"input": "x"}))
    respond(http, model, tools=[LOOK, PATCH], tool_choice={"type": "custom", "name": "apply_patch"})
    assert llm.bodies(model)[0]["tool_choice"] == {"type": "function", "function": {"name": "apply_patch"}}


def test_no_more_calls_are_made_than_allowed(http: httpx.Client, llm: ScriptedLLM, equipped: str) -> None:
    calls = [{"name": "respondents__echo", "arguments": {"say": str(number)}} for number in range(3)]
    llm.script(equipped, {"tool_calls": calls}, {"text": "Done."})
    response = respond(http, equipped, max_tool_calls=2)
    assert response["max_tool_calls"] == 2
    assert [item["type"] for item in response["output"]].count("mcp_call") == 2
    results = [each["content"] for each in llm.bodies(equipped)[-1]["messages"] if each["role"] == "tool"]
    assert sum("Refused" in result for result in results) == 1


def test_tools_of_servers_can_be_left_out_of_the_output(
    http: httpx.Client, llm: ScriptedLLM, equipped: str
) -> None:
    llm.script(equipped, {"text": "Wait.", "tool_calls": [ECHO]}, {"text": "It said hi."})
    events = streamed(http, equipped, mcp_connector={"render": "none"})
    assert not any("mcp" in event["type"] for event in events)
    [message] = events[-1]["response"]["output"]
    assert message["content"][0]["text"] == "Wait.\n\nIt said hi."
    assert json.loads(llm.bodies(equipped)[-1]["messages"][-1]["content"]) == {"say": "hi"}


def test_input_tokens_are_counted_without_asking_a_model(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, equipped: str
) -> None:
    llm.script(equipped, {"text": "never"})
    bare = client.responses.input_tokens.count(model=model, input="x" * 400)
    assert (bare.object, bare.input_tokens) == ("response.input_tokens", 100)
    instructed = client.responses.input_tokens.count(model=model, input="x" * 400, instructions="y" * 40)
    assert instructed.input_tokens == 110
    with_tools = client.responses.input_tokens.count(model=equipped, input="x" * 400)
    assert with_tools.input_tokens > 130
    assert llm.bodies(equipped) == []


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_compaction_does_not_exist(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/v1/responses/compact", json={"model": "m"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
