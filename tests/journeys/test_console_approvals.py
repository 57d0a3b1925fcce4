"""A rule is made in the console, a chat asks because of it, and staff decide: with changes, and in place."""

import time

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.console import LogIn, in_a_browser
from tests.stack import Stack
from tools.models import MCPTool

pytestmark = in_a_browser
SHOWN_WITHIN_S = 5.0
"""A quiet machine shows a call in Needs you within a second."""


@pytest.fixture
def asking(stack: Stack, walked: MCPTool) -> str:
    return stack.assistant("asking", walked, keys=()).slug


def script_call(stack: Stack, model: str, said: str) -> None:
    call = {"name": "walked__echo", "arguments": {"text": f"first {said}"}}
    stack.llm.script(model, {"tool_calls": [call]}, {"text": said})


def test_a_rule_asks_and_staff_decide(stack: Stack, asking: str, log_in: LogIn) -> None:
    page = log_in("manager")
    make_rule(page)
    inbox = page.context.new_page()
    inbox.goto("/admin/needs-you/")
    page.goto(f"/admin/playground/?assistant={asking}")
    approve_with_changes(stack, page, inbox, asking)
    reject_in_place(stack, page, inbox, asking)


def make_rule(page: Page) -> None:
    page.goto("/admin/assistants/rule/add/")
    page.fill("#id_name", "Echoes are looked at")
    page.select_option("#id_scope", "assistant")
    page.select_option("#id_assistant", label="asking")
    page.fill("#id_functions", "walked__echo")
    page.click("#dry-run-button")
    expect(page.locator("#dry-run-result")).to_contain_text("of the last seven days")
    page.click("[name=_save]")
    row = page.locator("tr.data-row", has_text="Echoes are looked at")
    expect(row).to_contain_text("Calls of walked__echo by the assistant asking")
    expect(row).to_contain_text("ask staff")


def ask(page: Page) -> None:
    page.fill("#question", "Go")
    page.press("#question", "Enter")


def approve_with_changes(stack: Stack, page: Page, inbox: Page, model: str) -> None:
    script_call(stack, model, "The changed one was here.")
    ask(page)
    expect(page.locator(".c-approval")).to_contain_text("only if somebody approves it")
    asked_at = time.monotonic()
    decide = inbox.get_by_role("link", name="Look and decide")
    decide.wait_for(timeout=SHOWN_WITHIN_S * 1000)
    assert time.monotonic() - asked_at < SHOWN_WITHIN_S
    expect(inbox.locator(".inbox-badge")).not_to_have_text("")
    decide.click()
    inbox.get_by_text("Approve with changes").click()
    inbox.fill("#edit-json", '{"text": "second, by staff"}')
    inbox.click("button[value=edit]")
    expect(inbox.get_by_text("Approved with your changes")).to_be_visible()
    expect(inbox.locator(".approval .pill").first).to_contain_text("Done")
    expect(inbox.locator(".output", has_text="second, by staff").first).to_be_visible()
    expect(page.locator(".c-answer").last).to_contain_text("The changed one was here.")


def reject_in_place(stack: Stack, page: Page, inbox: Page, model: str) -> None:
    inbox.goto("/admin/needs-you/")
    script_call(stack, model, "The refused one was here.")
    ask(page)
    box = page.locator(".c-approval")
    expect(box).to_be_visible()
    expect(inbox.get_by_role("link", name="Look and decide")).to_have_count(1)
    box.get_by_label("Reason, which the model is told").fill("Not today")
    box.get_by_role("button", name="Reject").click()
    expect(page.locator(".c-answer").last).to_contain_text("The refused one was here.")
    expect(page.locator(".c-call pre").last).to_contain_text("Not today")
    expect(inbox.get_by_role("link", name="Look and decide")).to_have_count(0)
