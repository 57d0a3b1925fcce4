"""The console for a viewer, who may change nothing, and for a reader of Chinese: in a real browser."""

import json
import re
from typing import Any

from playwright.sync_api import Page, expect

from config.console import NAVIGATION
from tests.journeys.console import ASSISTANTS, KEYS, SERVERS_PAGE, LogIn, expect_state, fake, in_a_browser
from tools.models import MCPTool

pytestmark = in_a_browser
CHINESE = re.compile("[\u4e00-\u9fff]")
CHANGES = "[name=_save], [data-post], [data-test], form[method=post] button:visible"
"""Whatever a person can change something with. Visible, because each page has a form to log out with."""
UNFOLD = "() => { for (const each of document.querySelectorAll('details')) each.open = true; }"


def test_a_manager_sees_the_buttons_that_a_viewer_misses(walked: MCPTool, log_in: LogIn) -> None:
    page = log_in("manager")
    for address in (SERVERS_PAGE, f"{SERVERS_PAGE}{walked.pk}/change/", f"{SERVERS_PAGE}{walked.pk}/tools/"):
        page.goto(address)
        page.evaluate(UNFOLD)
        assert page.locator(CHANGES).count(), address
    assert page.get_by_role("link", name="Inspector").count()
    page.goto(SERVERS_PAGE)
    assert page.get_by_role("link", name="Paste mcpServers JSON").count()


def test_a_viewer_sees_pages_without_buttons_and_forges_nothing(walked: MCPTool, log_in: LogIn) -> None:
    page = log_in("viewer")
    of_server = f"{SERVERS_PAGE}{walked.pk}"
    for address in (
        SERVERS_PAGE, f"{of_server}/change/", f"{of_server}/tools/", ASSISTANTS, KEYS, "/admin/needs-you/",
        "/admin/assistants/run/", "/admin/usage/",
    ):  # fmt: skip
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        page.evaluate(UNFOLD)
        assert page.locator(CHANGES).all_text_contents() == [], address
        assert not page.get_by_role("link", name="Inspector").count()
        assert not page.get_by_role("link", name="Paste mcpServers JSON").count()
    for address in ("/admin/playground/", f"/admin/servers/{walked.pk}/inspector/", f"{KEYS}add/"):
        assert page.request.get(address).status == 403, address
    for address, form in forged(walked).items():
        assert refusal(page, address, form=form) == 403, address
    call = {"kind": "tool", "id": 1, "arguments": {}, "confirmed": True}
    assert refusal(page, f"/admin/servers/{walked.pk}/inspector/call/", data=call) == 403
    chat = {"assistant": "walker", "messages": [{"role": "user", "content": "Go"}]}
    assert refusal(page, "/admin/playground/chat", data=chat) == 403
    page.goto(f"{SERVERS_PAGE}?q=Walked")
    expect_state(page, "Walked", "success", "Running")


def forged(server: MCPTool) -> dict[str, dict[str, str]]:
    of_server = f"{SERVERS_PAGE}{server.pk}"
    return {
        f"{of_server}/stop/": {},
        f"{of_server}/change/": {"name": "Forged", "_save": "1"},
        f"{of_server}/delete/": {"post": "yes"},
        f"{of_server}/tools/": {"function": "1", "do": "approve"},
        f"{SERVERS_PAGE}paste/": {"text": json.dumps({"mcpServers": {"Forged": fake()}}), "do": "apply"},
        f"/admin/needs-you/restart/{server.pk}/": {},
        f"{KEYS}add/": {"name": "Forged", "_save": "1"},
        f"{ASSISTANTS}add/": {"name": "Forged", "_save": "1"},
    }


def refusal(page: Page, address: str, **content: Any) -> int:
    """Posts with the person's own session and token, so that nothing but their rights can be missing."""
    (token,) = (each["value"] for each in page.context.cookies() if each["name"] == "csrftoken")
    answer = page.request.post(address, headers={"X-CSRFToken": token}, max_redirects=0, **content)
    assert "CSRF" not in answer.text()
    return answer.status


def test_pages_are_chinese_for_a_chinese_browser(log_in: LogIn) -> None:
    page = log_in("manager", locale="zh-CN")
    pages = [item for section in NAVIGATION for item in section["items"]]
    english = []
    for item in pages:
        answer = page.goto(str(item["link"]))
        assert answer is not None
        assert answer.status == 200, item["link"]
        title = page.title().rpartition("|")[0]
        if page.get_attribute("html", "lang") != "zh-hans" or not CHINESE.search(title):
            english.append((str(item["link"]), title))
    assert english == []
    expect(page.get_by_role("link", name="待办事项").first).to_be_visible()
