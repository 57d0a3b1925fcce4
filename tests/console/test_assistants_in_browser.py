"""What the scripts of an assistant's pages do, in a real browser against the whole product."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from assistants.models import Assistant
from tests.console import browser as browsers
from tests.stack import Stack
from tools.models import MCPTool

pytestmark = pytest.mark.skipif(browsers.missing() is not None, reason=browsers.missing() or "")


@pytest.fixture(scope="module")
def fake(stack: Stack) -> MCPTool:
    call_command("collectstatic", interactive=False, verbosity=0)
    return stack.server("Picked")


@pytest.fixture
def helper(stack: Stack, fake: MCPTool) -> Assistant:
    return stack.assistant(f"browser-{uuid.uuid4().hex[:8]}", fake, keys=())


@pytest.fixture
def session(stack: Stack) -> str:
    """The session of a manager."""
    with stack.database():
        user = User.objects.create_user(f"manager-{uuid.uuid4().hex[:8]}", is_staff=True)
        user.groups.add(Group.objects.get(name="manager"))
        client = Client()
        client.force_login(user)
        return client.cookies["sessionid"].value


@pytest.fixture
def page(stack: Stack, session: str, helper: Assistant) -> Iterator[Any]:
    """A page whose scripts may not fail."""
    with browsers.chromium() as browser:
        page = browsers.logged_in(browser, stack.url, session).new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: said.type == "error" and failures.append(said.text))
        page.set_default_timeout(15_000)
        yield page
        assert failures == []


def address(stack: Stack, helper: Assistant, tab: str) -> str:
    return f"{stack.url}/admin/assistants/assistant/{helper.pk}/{tab}/"


def test_a_chat_with_a_call_of_a_tool(stack: Stack, page: Any, helper: Assistant) -> None:
    call = {"name": "picked__echo", "arguments": {"text": "<img src=x onerror=alert(1)>"}}
    answer = "It is **done**:\n\n- one\n- <script>alert(1)</script>\n\n```\n<b>code</b>\n```"
    stack.llm.script(helper.slug, {"tool_calls": [call]}, {"text": answer}, {"text": "Again."})
    page.goto(address(stack, helper, "playground"))
    page.fill("#question", "Go")
    page.press("#question", "Enter")
    page.wait_for_selector(".c-figures-line")
    page.click(".c-call summary")
    assert "onerror" in page.text_content(".c-call pre")
    assert "Picked · echo" in page.text_content(".c-call summary")
    assert page.locator("#log img, #log script, #log b").count() == 0
    assert page.locator(".c-markdown strong").text_content() == "done"
    assert page.locator(".c-markdown li").count() == 2
    assert page.locator(".c-markdown pre").text_content() == "<b>code</b>"
    page.fill("#question", "And again")
    page.click("#send")
    page.wait_for_selector("text=Again.")
    sent = stack.llm.bodies(helper.slug)[-1]["messages"]
    assert [message["role"] for message in sent if message["role"] != "system"] == [
        "user",
        "assistant",
        "user",
    ]


def test_a_chat_is_stopped(stack: Stack, page: Any, helper: Assistant) -> None:
    stack.llm.script(helper.slug, {"text": "word " * 40, "chunk_delay_s": 0.5})
    page.goto(address(stack, helper, "playground"))
    page.fill("#question", "Go")
    page.press("#question", "Enter")
    page.wait_for_selector(".c-markdown p")
    page.click("#stop")
    page.wait_for_selector("#log >> text=Stopped")
    assert page.is_visible("#send")
    stack.llm.wait_for_outcome(helper.slug, "disconnected", within_s=10)


def test_an_llm_that_dies_is_told_in_the_page(stack: Stack, page: Any, helper: Assistant) -> None:
    stack.llm.script(helper.slug, {"text": "a b c d e f", "cut_after": 2})
    page.goto(address(stack, helper, "playground"))
    page.fill("#question", "Go")
    page.press("#question", "Enter")
    page.wait_for_selector("#log >> text=test it under LLM providers")


def test_tools_are_picked_by_keyboard(stack: Stack, page: Any, helper: Assistant) -> None:
    page.goto(address(stack, helper, "tools"))
    page.click("#chosen >> text=Remove")
    page.wait_for_selector("#unsaved:visible")
    page.fill("#find", "echo")
    page.wait_for_selector("#found code >> text=echo")
    page.press("#find", "ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chosen code")
    assert page.text_content("#chosen code") == page.text_content("#found code")
    page.click("#chosen >> text=Pin")
    page.click("#save button")
    page.wait_for_selector("text=Saved. It holds")
    assert page.locator("#chosen [aria-pressed=true]").count() == 1


def test_settings_are_copied_without_a_clipboard(stack: Stack, page: Any, helper: Assistant) -> None:
    page.goto(address(stack, helper, "connect"))
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.focus("[role=tab]")
    page.keyboard.press("ArrowRight")
    assert page.text_content("[role=tabpanel]:not([hidden]) code").startswith("import os")
    page.click("[role=tabpanel]:not([hidden]) [data-copy]")
    page.wait_for_selector("[role=tabpanel]:not([hidden]) >> text=Copied")
