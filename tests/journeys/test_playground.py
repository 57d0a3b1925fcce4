"""The playground: staff chat with an assistant by their session, without a key."""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group, User

from assistants.models import Run, RunStatus
from tests.stack import Stack, wait_for
from tools.models import MCPTool

PASSWORD = "long-enough-7"
CHAT = "/admin/playground/chat"
Login = Callable[[str], httpx.Client]


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    return stack.server("Play")


@pytest.fixture
def slug(stack: Stack, fake: MCPTool) -> str:
    slug = f"play-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, fake, keys=())
    return slug


@pytest.fixture
def login(stack: Stack) -> Iterator[Login]:
    with ExitStack() as clients:

        def login(group: str) -> httpx.Client:
            name = f"{group}-{uuid.uuid4().hex[:8]}"
            with stack.database():
                user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
                user.groups.add(Group.objects.get(name=group))
            client = clients.enter_context(
                httpx.Client(base_url=stack.url, timeout=20, headers={"referer": stack.url})
            )
            page = client.get("/admin/login/").text
            token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
            assert token
            form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            assert client.post("/admin/login/", data=form).status_code == 302
            client.headers["x-csrftoken"] = client.cookies["csrftoken"]
            return client

        yield login


def asked(slug: str, **fields: Any) -> dict[str, Any]:
    return {"assistant": slug, "messages": [{"role": "user", "content": "secret-question"}], **fields}


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    parts = response.text.split("\n\n")
    return [json.loads(part.removeprefix("data: ")) for part in parts if part.startswith("data: ")]


def by_type(events: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == wanted]


def ended_run(stack: Stack, slug: str) -> Run:
    with stack.database():
        ended = Run.objects.filter(assistant_slug=slug).exclude(status=RunStatus.RUNNING)
        wait_for(ended.exists, within_s=30)
        run = ended.get()
        run.calls_made = list(run.tool_calls.all())  # type: ignore[attr-defined]
        return run


def script_call(stack: Stack, slug: str) -> None:
    call = {"name": "play__echo", "arguments": {"text": "secret-argument"}}
    stack.llm.script(slug, {"tool_calls": [call]}, {"text": "secret-answer"})


def test_a_chat_shows_calls_of_tools_and_keeps_no_text(stack: Stack, login: Login, slug: str) -> None:
    script_call(stack, slug)
    client = login("operator")
    events = events_of(client.post(CHAT, json=asked(slug)))
    (started,) = by_type(events, "tool_started")
    (finished,) = by_type(events, "tool_finished")
    assert json.loads(started["arguments"]) == {"text": "secret-argument"}
    assert (finished["id"], finished["status"]) == (started["id"], "ok")
    assert "secret-argument" in finished["result"]
    assert "".join(event["text"] for event in by_type(events, "text")) == "secret-answer"
    assert events[-1]["type"] == "finished"
    assert events[-1]["rounds"] == 2
    assert by_type(events, "usage")[-1]["completion_tokens"] > 0
    run = ended_run(stack, slug)
    assert run.api_key_id is None
    assert run.username.startswith("operator-")
    assert (run.status, run.request, run.answer) == ("completed", None, None)
    (call,) = run.calls_made  # type: ignore[attr-defined]
    assert (call.function, call.arguments, call.result) == ("echo", None, None)


def test_texts_are_kept_if_asked(stack: Stack, login: Login, slug: str) -> None:
    script_call(stack, slug)
    events_of(login("operator").post(CHAT, json=asked(slug, store=True)))
    run = ended_run(stack, slug)
    assert (run.request, run.answer) == ("secret-question", "secret-answer")


def test_texts_are_not_kept_although_the_assistant_keeps_them(stack: Stack, login: Login) -> None:
    slug = f"play-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(), store_bodies=True)
    stack.llm.script(slug, {"text": "secret-answer"})
    events_of(login("operator").post(CHAT, json=asked(slug)))
    run = ended_run(stack, slug)
    assert (run.request, run.answer) == (None, None)


@pytest.mark.parametrize("group", ["viewer", "auditor"])
def test_others_are_refused(login: Login, slug: str, group: str) -> None:
    response = login(group).post(CHAT, json=asked(slug))
    assert response.status_code == 403
    assert "ask a manager" in response.json()["error"]["advice"]


def test_without_a_session_or_a_token_nothing_runs(stack: Stack, login: Login, slug: str) -> None:
    client = login("operator")
    del client.headers["x-csrftoken"]
    assert client.post(CHAT, json=asked(slug)).status_code == 403
    token = {"x-csrftoken": client.cookies["csrftoken"]}
    cookies = {"csrftoken": client.cookies["csrftoken"]}
    stranger = httpx.post(f"{stack.url}{CHAT}", json=asked(slug), headers=token, cookies=cookies)
    assert stranger.status_code == 401
    assert "logged out" in stranger.json()["error"]["advice"]
    with stack.database():
        assert not Run.objects.filter(assistant_slug=slug).exists()


def test_leaving_stops_the_run(stack: Stack, login: Login, slug: str) -> None:
    stack.llm.script(slug, {"text": "a b c d e f g h", "chunk_delay_s": 0.5})
    with login("operator").stream("POST", CHAT, json=asked(slug)) as response:
        next(line for line in response.iter_lines() if '"text"' in line)
    assert ended_run(stack, slug).status == RunStatus.CANCELLED


@pytest.mark.parametrize("lost", ["account", "right"])
def test_a_chat_ends_when_its_person_may_not_chat_any_more(
    stack: Stack, login: Login, slug: str, lost: str
) -> None:
    stack.llm.script(slug, {"text": "a " * 60, "chunk_delay_s": 0.5})
    with login("operator").stream("POST", CHAT, json=asked(slug)) as response:
        lines = response.iter_lines()
        next(line for line in lines if '"text"' in line)
        with stack.database():
            user = User.objects.get(username=Run.objects.get(assistant_slug=slug).username)
            if lost == "right":
                user.groups.clear()
            else:
                User.objects.filter(pk=user.pk).update(is_active=False)
        began = time.monotonic()
        told = next(json.loads(line.removeprefix("data: ")) for line in lines if '"error"' in line)
    assert (told["code"], time.monotonic() - began < 20) == ("permission_denied", True)
    assert ended_run(stack, slug).status == RunStatus.CANCELLED


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"status": 500, "body": "{}", "repeat": True}, "upstream_error"),
        ({"text": "a b c d e f", "cut_after": 2}, "upstream_error"),
        ({"status": 401, "body": "{}"}, "upstream_auth_error"),
    ],
)
def test_an_llm_that_dies_is_told_with_what_to_do(
    stack: Stack, login: Login, slug: str, step: dict[str, Any], code: str
) -> None:
    stack.llm.script(slug, step)
    response = login("operator").post(CHAT, json=asked(slug))
    told = response.json()["error"] if response.status_code != 200 else events_of(response)[-1]
    assert told["code"] == code
    assert "LLM provider" in told["advice"]
    assert ended_run(stack, slug).status == RunStatus.FAILED


def test_errors_are_told_in_the_readers_language(stack: Stack, login: Login, slug: str) -> None:
    client = login("operator")
    client.headers["accept-language"] = "zh-CN"
    stack.llm.script(slug, {"status": 401, "body": "{}"}, {"text": "a b c d", "cut_after": 2})
    refused = client.post(CHAT, json=asked(slug))
    told = refused.json()["error"] if refused.status_code != 200 else events_of(refused)[-1]
    assert told["message"] == "语言模型服务不接受提供商的 API 密钥\uff08401\uff09。"
    assert "LLM 提供商" in told["advice"]
    broken = events_of(client.post(CHAT, json=asked(slug)))[-1]
    assert broken["message"] == "与语言模型服务的连接中断了。"
    assert "模型不存在" in client.post(CHAT, json=asked("no-such")).json()["error"]["message"]


def test_servers_that_are_away_are_named_in_the_readers_language(stack: Stack, login: Login) -> None:
    slug = f"play-{uuid.uuid4().hex[:8]}"
    stopped = stack.server(f"Gone {slug}", wait=False, is_enabled=False)
    stack.assistant(slug, stopped, keys=())
    stack.llm.script(slug, {"text": "Hello"})
    client = login("operator")
    client.headers["accept-language"] = "zh-CN"
    last = events_of(client.post(CHAT, json=asked(slug)))[-1]
    assert last["unavailable"] == [{"server": f"Gone {slug}", "reason": "服务器已停止。"}]


def test_servers_that_are_away_are_named(stack: Stack, login: Login) -> None:
    slug = f"play-{uuid.uuid4().hex[:8]}"
    stopped = stack.server(f"Gone {slug}", wait=False, is_enabled=False)
    stack.assistant(slug, stopped, keys=())
    stack.llm.script(slug, {"text": "Hello"})
    last = events_of(login("operator").post(CHAT, json=asked(slug)))[-1]
    assert last["unavailable"] == [{"server": f"Gone {slug}", "reason": "The server is stopped."}]


def test_one_user_chats_twice_at_once_and_no_more(stack: Stack, login: Login, slug: str) -> None:
    stack.llm.script(slug, {"text": "Hello", "delay_s": 1.5, "repeat": True})
    client = login("operator")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: client.post(CHAT, json=asked(slug)), range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "playground's limit" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"]


def test_chats_hold_no_connection_to_the_database(stack: Stack, login: Login, slug: str) -> None:
    """The stack's web may open four: six chats, and pages beside them, need others' to be free."""
    stack.llm.script(slug, {"text": "a " * 20, "chunk_delay_s": 0.5, "repeat": True})
    clients = [login("operator") for _ in range(3)]
    with ThreadPoolExecutor(16) as pool:
        chats = [pool.submit(client.post, CHAT, json=asked(slug)) for client in clients for _ in range(2)]
        pages = [pool.submit(client.get, "/admin/playground/") for client in clients]
        assert [page.result().status_code for page in pages] == [200] * 3
        assert [chat.result().text for chat in chats if chat.done()] == []
        assert [chat.result().status_code for chat in chats] == [200] * 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "user", "content": ["x"]}]},
        {"messages": [{"role": "user", "content": "x"}] * 501},
        {"assistant": 7},
        {"store": "yes"},
    ],
)
def test_wrong_requests_are_refused(login: Login, slug: str, wrong: dict[str, Any]) -> None:
    response = login("operator").post(CHAT, json={**asked(slug), **wrong})
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("Invalid")


def test_an_assistant_that_is_off_is_not_found(stack: Stack, login: Login) -> None:
    slug = f"play-{uuid.uuid4().hex[:8]}"
    stack.assistant(slug, keys=(), is_enabled=False)
    client = login("operator")
    for name in (slug, "no-such", "", "x" * 999):
        assert client.post(CHAT, json=asked(name)).status_code == 404
    assert client.get(CHAT).status_code == 405
    assert client.post(CHAT, content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert client.post(CHAT, data={"a": "b"}).status_code == 415


def test_texts_are_fit_to_be_shown(stack: Stack, login: Login, slug: str) -> None:
    call = {"name": "play__echo", "arguments": {"text": "x" * 100_000}}
    stack.llm.script(slug, {"tool_calls": [call]}, {"text": "<b>\u202e\u001b[31mred"})
    events = events_of(login("operator").post(CHAT, json=asked(slug)))
    (started,) = by_type(events, "tool_started")
    (finished,) = by_type(events, "tool_finished")
    assert max(len(started["arguments"]), len(finished["result"])) < 21_000
    shown = "".join(event["text"] for event in by_type(events, "text"))
    assert shown.startswith("<b><U+202E>")
    assert "\u001b" not in shown
