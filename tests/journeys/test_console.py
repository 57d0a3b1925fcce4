"""What staff do in the console, in a real browser against the whole product: from pasted servers to a run.

Each test begins at the login form, and goes on as a person does: by what the pages show.
"""

import json
import re
from contextlib import suppress
from typing import Any

import openai
import pytest
from playwright.sync_api import Error, Page, expect

from tests.journeys.console import (
    ASSISTANTS,
    KEYS,
    SERVERS_PAGE,
    LogIn,
    expect_state,
    fake,
    in_a_browser,
    open_server,
    reload_until_shown,
)
from tests.stack import Stack
from tools.models import MCPTool

pytestmark = in_a_browser
KEY = re.compile(r"ak-\d{6}-[\w-]{36}")


# --- from a pasted file to a server that was mended ---


def test_servers_are_pasted_and_the_broken_one_is_mended(log_in: LogIn) -> None:
    page = log_in("manager")
    paste(page)
    page.goto(f"{SERVERS_PAGE}?q=pasted")
    expect_state(page, "Pasted clock", "success", "Running")
    expect_state(page, "Pasted weather", "danger", "Error")
    open_server(page, "Pasted weather")
    diagnosis = page.locator(".notice-danger")
    expect(diagnosis).to_contain_text("Why it broke")
    expect(diagnosis).to_contain_text("WEATHER_API_KEY")
    expect(diagnosis).to_contain_text("Add the missing variable to the server's environment.")
    page.locator("input[name=env-name]").first.fill("WEATHER_API_KEY")
    page.locator("input[name=env-value]").first.fill("canary-of-weather")
    page.click("[name=_save]")
    page.wait_for_url(lambda url: "/change/" not in url)
    page.goto(f"{SERVERS_PAGE}?q=pasted")
    expect_state(page, "Pasted weather", "success", "Running")
    open_server(page, "Pasted weather")
    expect(page.locator(".notice-danger")).to_have_count(0)
    expect(page.locator("input[name=env-value]").first).to_have_value("********")
    assert "canary-of-weather" not in page.content()


def paste(page: Page) -> None:
    """Registers `Pasted clock`, which needs a moment to start, and `Pasted weather`, which lacks a key."""
    servers = {
        "Pasted clock": fake("slow-start"),
        "Pasted weather": fake("needs-key"),
    }
    page.goto(SERVERS_PAGE)
    page.click("text=Paste mcpServers JSON")
    page.fill("[name=text]", json.dumps({"mcpServers": servers}))
    page.click("button[value=preview]")
    expect(page.locator("section.card .pill-success", has_text="New")).to_have_count(2)
    expect(page.get_by_label("Pasted clock", exact=True)).to_contain_text("fake.py slow-start")
    page.click("text=Register 2 servers")
    expect(page.locator(".notice-success")).to_contain_text("2 servers were registered")
    page.click("text=See them start")


# --- the inspector ---


def test_a_tool_is_called_in_the_inspector(walked: MCPTool, log_in: LogIn) -> None:
    page = log_in("manager")
    open_server(page, "Walked")
    page.get_by_role("link", name="Inspector").click()
    page.get_by_role("link", name="walked__echo").click()
    page.click("#inspector-as-json")
    page.fill("#inspector-json", '{"text": "from the inspector"}')
    page.click("#inspector-run")
    page.click("#inspector-confirm [data-answer=yes]")
    expect(page.locator("#inspector-result h2")).to_have_text("Result")
    expect(page.locator("#inspector-result .output").first).to_contain_text("from the inspector")


# --- from an assistant to its run ---


def test_an_assistant_is_made_and_used(stack: Stack, walked: MCPTool, log_in: LogIn) -> None:
    page = log_in("manager")
    make_assistant(page)
    pick_tool(page)
    chat_by_key(stack, issue_key(page))
    chat_in_the_playground(stack, page)
    open_its_run(page)


def make_assistant(page: Page) -> None:
    page.goto(f"{ASSISTANTS}add/")
    page.locator("#id_name").press_sequentially("Walker")
    page.press("#id_name", "Tab")
    expect(page.locator("#id_slug")).to_have_value("walker")
    page.fill("#id_model", "walker")
    page.click("[name=_save]")
    page.wait_for_url("**/tools/")


def pick_tool(page: Page) -> None:
    page.fill("#find", "walked__echo")
    card = page.locator("#found .c-card", has=page.get_by_role("heading", name="Walked"))
    card.get_by_role("button", name="Add echo", exact=True).click()
    expect(page.locator("#chosen code")).to_have_text("echo")
    page.click("#save button")
    expect(page.get_by_text("Saved. It holds")).to_be_visible()


def issue_key(page: Page) -> str:
    """Returns a key as it was copied from the page that shows it once."""
    page.goto(f"{KEYS}add/")
    page.fill("#id_name", "Walking caller")
    page.locator("#id_assistants + .select2 .select2-selection").click()
    page.locator(".select2-results__option", has_text="Walker").click()
    page.click("[name=_save]")
    key = page.input_value("#key")
    assert KEY.fullmatch(key)
    page.wait_for_load_state()  # no button works before the page's scripts have run
    page.click("#copy-key")
    expect(page.locator("#copy-key")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.click("text=I have copied it")
    page.wait_for_url("**/change/")
    assert key not in page.content()
    with suppress(Error):  # Chromium goes back to the answer of a form by sending it again, and does not
        page.go_back()
    page.wait_for_timeout(1_000)
    assert key not in page.content()
    fields = page.locator("input").all()
    assert key not in [field.input_value() for field in fields if field.get_attribute("type") == "text"]
    return key


def script_call(stack: Stack, said: str) -> None:
    call = {"name": "walked__echo", "arguments": {"text": f"argument of {said}"}}
    stack.llm.script("walker", {"tool_calls": [call]}, {"text": said})


def chat_by_key(stack: Stack, key: str) -> None:
    script_call(stack, "The API was here.")
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["walker"]
        completion = client.chat.completions.create(
            model="walker", messages=[{"role": "user", "content": "Go"}]
        )
    message: Any = completion.choices[0].message
    assert message.content == "The API was here."
    ran = message.model_extra["mcp_connector"]["tool_calls"]
    assert [(call["server"], call["status"]) for call in ran] == [("Walked", "ok")]


def chat_in_the_playground(stack: Stack, page: Page) -> None:
    script_call(stack, "The console was here.")
    page.goto("/admin/playground/")
    page.select_option("#assistant", "walker")
    page.fill("#question", "Go")
    page.press("#question", "Enter")
    expect(page.locator(".c-figures-line")).to_contain_text("rounds: 2")
    expect(page.locator(".c-answer .c-markdown")).to_have_text("The console was here.")
    call = page.locator(".c-call")
    expect(call.locator("summary")).to_contain_text("Walked · echo")
    expect(call.locator(".pill-success")).to_contain_text("Done")
    call.locator("summary").click()
    arguments, result = call.locator("pre").nth(0), call.locator("pre").nth(1)
    expect(arguments).to_be_visible()
    expect(arguments).to_contain_text("argument of The console")
    expect(result).to_contain_text("argument of The console")


def open_its_run(page: Page) -> None:
    """Opens the run of the chat that the page shows."""
    page.click("text=Open the run")
    page.wait_for_url(re.compile(r"/run/\?q="))
    run = page.locator("tr.data-row").get_by_role("link")
    reload_until_shown(page, run)
    run.first.click()
    waterfall = page.locator("table.waterfall")
    for step in ("Model, round 1", "echo", "Model, round 2"):
        expect(waterfall.locator("th[scope=row]", has_text=step)).to_have_count(1)
    expect(waterfall.locator(".waterfall-bar.waterfall-model")).to_have_count(2)
    expect(waterfall.locator(".waterfall-bar.waterfall-tool")).to_have_count(1)
    boxes = [bar.bounding_box() for bar in waterfall.locator(".waterfall-bar").all()]
    assert all(box and box["width"] > 0 for box in boxes)
    expect(page.locator("#run-curl")).to_contain_text("$API_KEY")


# --- a changed definition ---


@pytest.fixture
def reworded(stack: Stack) -> MCPTool:
    """A server that withholds changes. Its tool `echo` says something else once it is restarted."""
    description = stack.folder / "description-of-echo"
    description.write_text("Gives back what it gets.")
    server = stack.server("Reworded", approval="pinned", env={"FAKE_DESCRIPTION": str(description)})
    description.write_text("Gives what it gets to everybody.")
    return server


def test_a_changed_definition_is_approved(reworded: MCPTool, log_in: LogIn) -> None:
    page = log_in("manager")
    open_server(page, "Reworded")
    page.locator("a[data-post]:visible", has_text="Restart").click()
    expect(page.get_by_text("Reworded restarts, if it is enabled.")).to_be_visible()
    page.goto("/admin/needs-you/")
    review = page.get_by_role("link", name="Review and approve: Reworded")
    reload_until_shown(page, review)
    review.click()
    page.wait_for_url("**/tools/")
    expect(page.locator(".diff td.removed")).to_have_text("Gives back what it gets.")
    expect(page.locator(".diff td.added")).to_have_text("Gives what it gets to everybody.")
    page.click("button[value=approve]")
    expect(page.get_by_text("is approved: assistants get the new definition.")).to_be_visible()
    page.goto("/admin/needs-you/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(review).to_have_count(0)
