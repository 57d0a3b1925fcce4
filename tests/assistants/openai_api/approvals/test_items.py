"""Calls of the Responses API that the caller decides about, by approval items, and those that staff do."""

import json
from datetime import timedelta
from typing import Any

import httpx
import openai
import pytest
from django.utils import timezone

from assistants.models import Approval, Approver
from tests.assistants.openai_api.approvals.conftest import ECHO, World
from tests.assistants.openai_api.responses.test_background import ended
from tests.stack import wait_for

ASK = [{"type": "mcp", "server_label": "asked", "require_approval": "always"}]


def create(client: openai.OpenAI, world: World, given: Any = "Say hi.", **fields: Any) -> Any:
    return client.responses.create(model=world.model, input=given, **{"tools": ASK, **fields})


def request_of(response: Any) -> Any:
    [item] = [item for item in response.output if item.type == "mcp_approval_request"]
    return item


def decision(request: Any, *, approve: bool, **fields: Any) -> dict[str, Any]:
    return {
        "type": "mcp_approval_response",
        "approval_request_id": request.id,
        "approve": approve,
        **fields,
    }


def test_the_caller_is_asked_by_an_item_and_approves(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."}, {"text": "Twice?"})
    first = create(client, world)
    request = request_of(first)
    assert (request.server_label, request.name, json.loads(request.arguments)) == (
        "asked",
        "echo",
        {"say": "hi"},
    )
    assert (first.status, first.output_text, world.calls) == ("completed", "", [])
    second = create(client, world, [decision(request, approve=True)], previous_response_id=first.id)
    assert second.output_text == "Said."
    assert (world.calls, world.results()) == ([{"say": "hi"}], ['{"say": "hi"}'])
    [call] = [item for item in second.output if item.type == "mcp_call"]
    assert (call.approval_request_id, call.output) == (request.id, '{"say": "hi"}')
    create(client, world, "And?", previous_response_id=second.id)
    assert world.results() == ['{"say": "hi"}']
    number, run = int(request.id.rpartition("o")[2], 16), first.id.replace("resp_", "run_")
    wait_for(lambda: world.recorded(number) == [(run, "ok", "")], within_s=10)


def test_two_answers_to_one_request_are_refused(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    first = create(client, world)
    answers = [decision(request_of(first), approve=approve) for approve in (True, False)]
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, world, answers, previous_response_id=first.id)
    assert (refused.value.param, refused.value.code) == (
        "input[1].approval_request_id",
        "approval_answered_twice",
    )
    assert (world.asked().state, world.calls) == ("waiting", [])


def test_a_conversation_goes_on_as_well(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    named = {"conversation": f"conv-{world.model}"}
    request = request_of(create(client, world, **named))
    assert create(client, world, [decision(request, approve=True)], **named).output_text == "Said."
    assert (world.calls, world.results()) == ([{"say": "hi"}], ['{"say": "hi"}'])


def test_the_caller_rejects(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Then not."})
    first = create(client, world)
    said = decision(request_of(first), approve=False, reason="Too loud.")
    assert create(client, world, [said], previous_response_id=first.id).output_text == "Then not."
    assert world.calls == []
    assert "Too loud." in world.results()[0]


def test_a_conversation_that_is_sent_back_goes_on_as_well(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."}, {"text": "More."})
    first = create(client, world, store=False)
    items: list[Any] = [{"role": "user", "content": "Say hi."}]
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items.append(decision(request_of(first), approve=True))
    second = create(client, world, items, store=False)
    assert (second.output_text, world.calls) == ("Said.", [{"say": "hi"}])
    items += [item.model_dump(exclude_none=True) for item in second.output]
    items.append({"role": "user", "content": "And?"})
    assert create(client, world, items, store=False).output_text == "More."
    assert (world.results(), world.calls) == (['{"say": "hi"}'], [{"say": "hi"}])


def test_a_stream_shows_the_item_in_openais_events(client: openai.OpenAI, world: World) -> None:
    world.script({"text": "Well.", "tool_calls": [ECHO]})
    with client.responses.stream(model=world.model, input="Say hi.", tools=ASK) as stream:
        events = [event for event in stream if event.type.startswith("response.output_item")]
        final = stream.get_final_response()
    request = request_of(final)
    shown = [(event.type, event.item.id) for event in events if event.item.type == request.type]
    assert shown == [
        ("response.output_item.added", request.id),
        ("response.output_item.done", request.id),
    ]


def test_beside_a_call_of_its_own_tools_the_caller_is_not_asked(client: openai.OpenAI, world: World) -> None:
    """It must answer its own call, and the model then makes the other one alone."""
    own = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
    fields: dict[str, Any] = {"tools": [*ASK, own]}
    world.script(
        {"tool_calls": [ECHO, {"name": "look", "arguments": {}}]}, {"tool_calls": [ECHO]}, {"text": "Said."}
    )
    first = create(client, world, **fields)
    shown = [item for item in first.output if item.type not in {"mcp_list_tools", "message"}]
    assert [item.type for item in shown] == ["mcp_call", "function_call"]
    looked = {"type": "function_call_output", "call_id": shown[1].call_id, "output": "Nothing."}
    second = create(client, world, [looked], previous_response_id=first.id, **fields)
    assert "Call it again in a turn without calls of the caller's tools" in world.results()[0]
    said = [decision(request_of(second), approve=True)]
    third = create(client, world, said, previous_response_id=second.id, **fields)
    assert (third.output_text, world.calls) == ("Said.", [{"say": "hi"}])


@pytest.mark.parametrize("is_background", [False, True])
def test_what_staff_decide_is_told_beside_a_call_of_the_callers_tools(
    client: openai.OpenAI, world: World, is_background: bool
) -> None:
    world.ask_before(Approver.STAFF)
    own: Any = [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}]
    world.script({"tool_calls": [ECHO, {"name": "look", "arguments": {}}]}, {"text": "Both."})
    first = create(client, world, tools=own, background=is_background)
    if is_background:
        first = ended(client, first.id)
    approval = world.asked()
    assert f"/approval/{approval.pk}/" in first.output_text
    [call] = [item for item in first.output if item.type == "function_call"]
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    looked: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "blue"}]
    second = create(client, world, looked, previous_response_id=first.id, tools=own)
    assert (second.output_text, world.results()) == ("Both.", ['{"say": "hi"}', "blue"])
    assert [each["role"] for each in world.received()] == ["user", "assistant", "tool", "tool"]
    assert world.calls == [{"say": "hi"}]


@pytest.mark.parametrize("wrong", ["unknown", "foreign", "other conversation", "no id of ours"])
def test_an_unknown_and_a_foreign_request_cannot_be_told_apart(
    client: openai.OpenAI, world: World, wrong: str
) -> None:
    world.script({"tool_calls": [ECHO]}, {"tool_calls": [ECHO]})
    first = create(client, world, user="anna" if wrong == "foreign" else "ben")
    request = request_of(first)
    number = world.asked().pk
    previous = first.id
    match wrong:
        case "unknown":
            request.id = request.id[: request.id.index("o")] + "offffff"
        case "other conversation":
            previous = create(client, world, "Say it.", user="ben").id
        case "no id of ours":
            request.id = "mcpr_1"
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, world, [decision(request, approve=True)], previous_response_id=previous, user="ben")
    assert (refused.value.code, refused.value.param) == (
        "approval_not_found",
        "input[0].approval_request_id",
    )
    assert world.row(number).state == "waiting"


@pytest.mark.parametrize("field", ["name", "arguments", "server_label"])
def test_the_stored_call_alone_is_made(client: openai.OpenAI, world: World, field: str) -> None:
    world.script({"tool_calls": [ECHO]})
    first = create(client, world, store=False)
    request = request_of(first)
    changed = request.model_dump(exclude_none=True) | {field: '{"say": "ho"}'}
    items: Any = [{"role": "user", "content": "Say hi."}]
    items += [
        changed if item.id == request.id else item.model_dump(exclude_none=True) for item in first.output
    ]
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, world, [*items, decision(request, approve=True)], store=False)
    assert refused.value.code == "approval_changed"
    assert world.asked().arguments == {"say": "hi"}


def test_staff_decide_about_their_calls_and_no_item_does(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.STAFF)
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    first = create(client, world)
    approval = world.asked()
    assert "mcp_approval_request" not in {item.type for item in first.output}
    assert f"/approval/{approval.pk}/" in first.output_text
    token = first.id.removeprefix("resp_")
    forged = {"type": "mcp_approval_response", "approval_request_id": f"mcpr_{token}o{approval.pk:04x}"}
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, world, [{**forged, "approve": True}], previous_response_id=first.id)
    assert refused.value.code == "approval_staff_decides"
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    assert create(client, world, "Well?", previous_response_id=first.id).output_text == "Said."
    assert (world.calls, world.results()) == ([{"say": "hi"}], ['{"say": "hi"}'])


def test_counting_does_not_wait_for_a_call_that_is_being_made(
    client: openai.OpenAI, http: httpx.Client, world: World
) -> None:
    world.ask_before(Approver.STAFF)
    world.script({"tool_calls": [ECHO]})
    first = create(client, world)
    with world.stack.database():
        lease_until = timezone.now() + timedelta(hours=1)
        rows = Approval.objects.filter(pk=world.asked().pk)
        rows.update(state="running", lease_until=lease_until)
    body = {"model": world.model, "input": "Well?", "previous_response_id": first.id}
    counted = http.post("/v1/responses/input_tokens", json=body, timeout=10)
    assert counted.json()["input_tokens"] > 0


@pytest.mark.parametrize(
    ("demanded", "asks"),
    [
        (None, False),
        ("never", False),
        ({"always": {"tool_names": ["echo"]}}, True),
        ({"always": {"tool_names": ["sleep"]}}, False),
        ({"never": {"tool_names": ["echo"]}}, False),
        ({"never": {"tool_names": ["add"]}}, True),
        ({"never": {"read_only": True}}, True),
    ],
)
def test_what_is_asked_about_is_the_requests_to_say(
    client: openai.OpenAI, world: World, demanded: Any, asks: bool
) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    terms = {"require_approval": demanded} if demanded else {}
    response = create(client, world, tools=[{"type": "mcp", "server_label": "asked", **terms}])
    assert any(item.type == "mcp_approval_request" for item in response.output) == asks


def test_never_does_not_loosen_a_rule(client: openai.OpenAI, world: World) -> None:
    world.ask_before(Approver.CALLER)
    world.script({"tool_calls": [ECHO]})
    never = [{"type": "mcp", "server_label": "asked", "require_approval": "never"}]
    request_of(create(client, world, tools=never))
    assert world.calls == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"server_label": "nowhere", "require_approval": "always"}, "tools[0].server_label"),
        ({"server_label": "asked", "server_url": "https://example.org"}, "tools[0].server_url"),
        ({"server_label": "asked", "require_approval": "perhaps"}, "tools[0].require_approval"),
        ({"server_label": "asked", "require_approval": {"alway": {}}}, "tools[0].require_approval.alway"),
        (
            {"server_label": "asked", "require_approval": {"always": {"tools": ["echo"]}}},
            "tools[0].require_approval.always.tools",
        ),
        (
            {"server_label": "asked", "require_approval": {"always": {"tool_names": ["ehco"]}}},
            "tools[0].require_approval.always.tool_names",
        ),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(
    client: openai.OpenAI, world: World, fields: Any, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, world, tools=[{"type": "mcp", **fields}])
    assert refused.value.param == param
