"""A call of a chat's that staff must agree to: the answer is held, says what waits, and goes on later."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from assistants import actions
from assistants.models import Approver, Rule, Run
from config.runner.network import free_port
from core.actor import Actor
from tests.assistants.openai_api.approvals.conftest import ECHO, GO, ON, World, ask, shown
from tests.stack import Stack, readiness, wait_for


@pytest.fixture
def world(world: World) -> World:
    world.ask_before(Approver.STAFF)
    return world


def test_a_held_answer_goes_on_when_it_is_approved(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, world)
        approval = world.asked()
        assert world.calls == []
        world.approve(approval)
        message = answer.result()
    assert message.content == "Said."
    assert (world.calls, world.results()) == ([{"say": "hi"}], ['{"say": "hi"}'])
    [step] = message.mcp_connector["approvals"]
    assert (step["number"], step["state"]) == (approval.pk, "done")


def test_a_rejected_call_is_not_made_and_the_model_is_told_why(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Then not."})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, world)
        world.reject(world.asked(), "Too loud.")
        assert answer.result().content == "Then not."
    assert world.calls == []
    assert "Too loud." in world.results()[0]


def test_a_stream_is_held_with_heartbeats_and_ends_with_what_waits(http: httpx.Client, world: World) -> None:
    world.script({"text": "One moment.", "tool_calls": [ECHO]})
    body = {"model": world.model, "messages": [GO], "stream": True}
    with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        events = answer.read().decode().split("\n\n")
    approval = world.asked()
    assert sum(event.startswith(":") for event in events) >= 2
    text = "".join(events)
    assert f"/admin/assistants/approval/{approval.pk}/" in text
    assert '"finish_reason":"stop"' in text
    assert (events[-2], world.calls) == ("data: [DONE]", [])


def test_what_was_approved_after_the_answer_ended_is_told_to_the_next_message(
    client: openai.OpenAI, world: World
) -> None:
    world.script({"text": "One moment.", "tool_calls": [ECHO]}, {"text": "Said."}, {"text": "Twice?"})
    first = ask(client, world)
    approval = world.asked()
    assert first.content.startswith("One moment.\n\n[Waiting for approval")
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    second = ask(client, world, shown(first), ON)
    assert second.content == "Said."
    roles = [each["role"] for each in world.received()]
    assert (roles, world.results()) == (["user", "assistant", "tool", "user"], ['{"say": "hi"}'])
    assert "Waiting for approval" not in str(world.received())
    [call] = second.mcp_connector["tool_calls"]
    assert (call["status"], call["arguments"]) == ("ok", {"say": "hi"})
    # It stays in its place, although the approval has been delivered.
    ask(client, world, shown(first), ON, shown(second), ON)
    assert (world.results(), world.calls) == (['{"say": "hi"}'], [{"say": "hi"}])


def test_a_call_that_was_made_later_is_on_record_once_in_the_run_that_asked(
    client: openai.OpenAI, world: World
) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    first = ask(client, world)
    approval = world.asked()
    run = first.mcp_connector["run_id"]
    wait_for(lambda: world.recorded(approval.pk) == [(run, "error", "approval_pending")], within_s=10)
    world.approve(approval)
    wait_for(lambda: world.recorded(approval.pk) == [(run, "ok", "")], within_s=20)
    ask(client, world, shown(first), ON)
    with world.stack.database():
        runs = Run.objects.filter(assistant=world.assistant, status="completed")
        wait_for(lambda: runs.count() == 2, within_s=10)
    assert world.recorded(approval.pk) == [(run, "ok", "")]
    assert world.calls_of_runs() == 1


def test_a_call_that_was_held_is_on_record_with_its_approval(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, world)
        approval = world.asked()
        world.approve(approval)
        run = answer.result().mcp_connector["run_id"]
    wait_for(lambda: world.recorded(approval.pk) == [(run, "ok", "")], within_s=10)


def test_a_result_that_is_told_later_has_no_secrets_either(client: openai.OpenAI, world: World) -> None:
    with world.stack.database():
        actions.update(world.assistant, by=Actor.system("tests"), masks_secrets=True)
    secret = "ghp_q8Zr2LmT5vXw9BnK3cJd7FhG1sPyA4eUoI6x"
    world.script({"tool_calls": [{**ECHO, "arguments": {"say": secret}}]}, {"text": "Said."})
    first = ask(client, world)
    approval = world.asked()
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    assert ask(client, world, shown(first), ON).content == "Said."
    assert (world.results(), world.calls) == (['{"say": "[masked: github-pat]"}'], [{"say": secret}])


def test_edited_arguments_are_told_to_the_model(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    first = ask(client, world)
    approval = world.asked()
    world.approve(approval, {"say": "good day"})
    world.wait_for_state(approval.pk, "done")
    ask(client, world, shown(first), ON)
    [result] = world.results()
    assert world.calls == [{"say": "good day"}]
    assert "changed the arguments" in result
    assert '{"say": "good day"}' in result


def test_a_call_that_still_waits_is_told_and_joined_by_an_equal_one(
    client: openai.OpenAI, world: World
) -> None:
    world.script(
        {"tool_calls": [ECHO]}, {"text": "It waits."}, {"tool_calls": [ECHO]}, {"text": "Said, at last."}
    )
    first = ask(client, world)
    approval = world.asked()
    second = ask(client, world, shown(first), ON)
    assert second.content == "It waits."
    assert "still waited for" in world.results()[0]
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, world, shown(first), ON, shown(second), ON)
        wait_until_held(world, 3)
        world.approve(approval)
        assert answer.result().content == "Said, at last."
    assert world.calls == [{"say": "hi"}]


def wait_until_held(world: World, requests: int) -> None:
    wait_for(lambda: len(world.llm.bodies(world.model)) == requests, within_s=10)


def test_a_process_that_ends_ends_the_answer_with_what_waits(
    stack: Stack, key: IssuedKey, world: World
) -> None:
    world.script({"tool_calls": [ECHO]})
    port = free_port()
    web = stack.start_process("another web", stack.web_command(port), APPROVAL_HOLD_S="40")
    wait_for(lambda: readiness(f"http://127.0.0.1:{port}") == "ok", within_s=60)
    base_url = f"http://127.0.0.1:{port}/v1"
    with (
        openai.OpenAI(api_key=key.key, base_url=base_url, max_retries=0, timeout=60) as client,
        ThreadPoolExecutor() as pool,
    ):
        answer = pool.submit(ask, client, world)
        approval = world.asked()
        web.ask_to_stop()
        assert f"/approval/{approval.pk}/" in answer.result().content
    web.stop(timeout_s=15)
    assert world.row(approval.pk).state == "waiting"


def test_asking_again_joins_the_call_that_waits(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"tool_calls": [ECHO]}, {"text": "Said."})
    ask(client, world)
    approval = world.asked()
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    assert ask(client, world).content == "Said."
    assert world.calls == [{"say": "hi"}]


@pytest.mark.parametrize("changed", ["key", "end user", "transcript"])
def test_it_is_delivered_to_the_same_caller_end_user_and_conversation_only(
    client: openai.OpenAI, world: World, changed: str
) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "What?"})
    first = ask(client, world, user="anna")
    approval = world.asked()
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    messages, user = [GO, shown(first), ON], "anna"
    if changed == "key":
        client = world.other_key(client)
    elif changed == "end user":
        user = "ben"
    else:
        messages[0] = {"role": "user", "content": "Say ho."}
    client.chat.completions.create(model=world.model, messages=messages, user=user)
    assert world.results() == []
    assert "Waiting for approval" not in str(world.received())


def test_of_a_round_the_allowed_calls_run_at_once(client: openai.OpenAI, world: World) -> None:
    with world.stack.database():
        Rule.objects.filter(name=world.model).update(conditions={"expression": 'call.arguments.say == "hi"'})
    other = {"name": "asked__echo", "arguments": {"say": "free"}}
    world.script({"tool_calls": [ECHO, other]}, {"text": "Both."})
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(ask, client, world)
        approval = world.asked()
        wait_for(lambda: world.calls == [{"say": "free"}], within_s=10)
        world.approve(approval)
        assert answer.result().content == "Both."
    assert world.calls == [{"say": "free"}, {"say": "hi"}]


def test_a_stored_history_goes_on_as_well(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": "Said."})
    extra = {"session_id": "kept", "mcp_connector": {"history": "stored"}}
    client.chat.completions.create(model=world.model, messages=[GO], extra_body=extra)
    approval = world.asked()
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    client.chat.completions.create(model=world.model, messages=[ON], extra_body=extra)
    assert world.results() == ['{"say": "hi"}']


def test_an_idempotent_request_gets_the_waiting_answer_again(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]})
    named = {"extra_headers": {"idempotency-key": world.model}}
    first = ask(client, world, **named)
    approval = world.asked()
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    assert ask(client, world, **named).content == first.content


def test_an_answer_that_must_be_json_is_refused_for_now(client: openai.OpenAI, world: World) -> None:
    world.script({"tool_calls": [ECHO]}, {"text": '{"said": true}'})
    as_json: Any = {"type": "json_object"}
    first = ask(client, world, response_format=as_json)
    approval = world.asked()
    assert first.content is None
    world.approve(approval)
    world.wait_for_state(approval.pk, "done")
    held = {"role": "assistant", "content": None, "refusal": first.refusal}
    assert ask(client, world, held, ON, response_format=as_json).content == '{"said": true}'
    assert world.results() == ['{"say": "hi"}']
