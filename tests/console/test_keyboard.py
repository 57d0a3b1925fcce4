"""With a keyboard alone, in a real browser against the whole product: nothing here is clicked."""

import json
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command

from assistants.models import Assistant
from tests.console import browser as browsers
from tests.console.staff import PASSWORD, member_of_stack
from tests.stack import SERVERS, Stack
from tools.models import MCPTool

pytestmark = pytest.mark.skipif(browsers.missing() is not None, reason=browsers.missing() or "")
LIST = "/admin/tools/mcptool/"
MOST_STOPS = 90


@pytest.fixture(scope="module")
def picked(stack: Stack) -> MCPTool:
    call_command("collectstatic", interactive=False, verbosity=0)
    return stack.server("Keyed")


@pytest.fixture(scope="module")
def rich(stack: Stack) -> MCPTool:
    return stack.server("Rich keyed", args=[str(SERVERS / "rich.py"), "stdio"])


@pytest.fixture
def helper(stack: Stack, picked: MCPTool) -> Assistant:
    return stack.assistant(f"keyboard-{uuid.uuid4().hex[:6]}", keys=())


@pytest.fixture
def page(stack: Stack, helper: Assistant) -> Iterator[Any]:
    """A manager's page, logged in by keyboard."""
    with member_of_stack(stack, "manager"), browsers.chromium() as browser:
        page = browser.new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.goto("/admin/login/")
        tab_to(page, "[name=username]")
        page.keyboard.type(f"manager-{stack.port}")
        tab_to(page, "[name=password]")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/")
        yield page


def tab_to(page: Any, selector: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(MOST_STOPS):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {selector} of {page.url}")


def test_a_pasted_file_is_registered(page: Any) -> None:
    name = f"pasted-{uuid.uuid4().hex[:6]}"
    page.goto(LIST)
    tab_to(page, "a[href$='/paste/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/paste/")
    tab_to(page, "textarea")
    server = {"command": sys.executable, "args": [str(SERVERS / "fake.py")], "disabled": True}
    page.keyboard.insert_text(json.dumps({"mcpServers": {name: server}}))
    tab_to(page, "[value=preview]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".card >> text={name}")
    tab_to(page, "[value=apply]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".notice-success")


def test_tools_are_picked_and_saved(page: Any, helper: Assistant) -> None:
    page.goto(f"/admin/assistants/assistant/{helper.pk}/tools/")
    tab_to(page, "#find")
    page.keyboard.type("echo")
    page.wait_for_selector("#found code >> text=echo")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chosen code")
    tab_to(page, "#save button")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Saved. It holds")


def test_the_form_of_the_inspector_is_filled_and_sent(rich: MCPTool, page: Any) -> None:
    page.goto(f"/admin/servers/{rich.pk}/inspector/")
    tab_to(page, ".pane-list a[href*=prompt]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#inspector-fields :is(input, textarea)")
    tab_to(page, "#inspector-fields :is(input, textarea)")
    page.keyboard.type("Ada")
    tab_to(page, "#inspector-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#inspector-result >> text=Ada")


def test_the_playground_sends_and_stops(stack: Stack, page: Any, helper: Assistant) -> None:
    stack.llm.script(helper.slug, {"text": "word " * 40, "chunk_delay_s": 0.5})
    page.goto(f"/admin/assistants/assistant/{helper.pk}/playground/")
    tab_to(page, "#question")
    page.keyboard.type("Go")
    page.keyboard.press("Enter")
    page.wait_for_selector(".c-markdown p")
    page.keyboard.press("Escape")
    page.wait_for_selector("#log >> text=Stopped")


def test_the_palette_goes_to_a_page(page: Any) -> None:
    for opens in (lambda: page.keyboard.press("Control+k"), lambda: press(page, "#search-button")):
        page.goto("/admin/")
        opens()
        page.wait_for_function("document.activeElement.id === 'search-input-command'")
        page.keyboard.type("usage")
        page.wait_for_selector("#command-results-list a[href$='/usage/']")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**/admin/usage/")


def press(page: Any, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Enter")


def test_the_account_menu_opens(page: Any) -> None:
    page.goto("/admin/")
    tab_to(page, "[role=button]:has(img, .rounded-full, .font-semibold)")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.closest('nav') !== null")


def test_the_menu_of_a_row_restarts_its_server(page: Any) -> None:
    """The last test: the others need the server."""
    page.goto(f"{LIST}?q=Keyed")
    tab_to(page, ".field-actions_holder [role=button]")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('body > nav a')")
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.matches('.field-actions_holder [role=button]')")
    page.wait_for_selector("body > nav", state="hidden")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.matches('body > nav a')")
    while not page.evaluate("document.activeElement.href.includes('/restart/')"):
        page.keyboard.press("ArrowDown")
    with page.expect_response(lambda answer: answer.url.endswith("/restart/")) as restarted:
        page.keyboard.press("Enter")
    assert restarted.value.status == 302
