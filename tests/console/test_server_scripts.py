"""The scripts of the pages of servers, in a real browser: the inspector's form, rows of names and values.

The pages are rendered before; the browser gets them, and the project's own static files, from the test.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Page, Route

from tests.console.browser import chromium, missing
from tests.console.pages import SERVERS
from tools.models import MCPTool, ToolFunction

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]
SITE = "http://console.test"
Show = Callable[[str, list[Any]], Page]
"""Shows a page. What it posts is added to a list, and answered with a result."""
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {
        "city": {"type": "string", "description": HOSTILE},
        "days": {"type": "integer", "default": 3},
        "unit": {"enum": ["C", "F", HOSTILE]},
        "when": {"type": "string", "format": "date"},
        "detailed": {"type": ["boolean", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {
            "type": "object",
            "properties": {"lat": {"type": "number"}, "inner": {"$ref": "#/properties/place"}},
        },
        "by": {
            "oneOf": [
                {"title": "Name", "type": "string"},
                {"title": "Code", "type": "object", "properties": {"code": {"type": "integer"}}},
            ]
        },
        "tree": {"$ref": "#/$defs/node"},
        "loop": {"$ref": "#/$defs/loop"},
    },
    "$defs": {
        "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "v": {"type": "string"}}},
        "loop": {"$ref": "#/$defs/loop"},
    },
}


@pytest.fixture
def shown() -> Iterator[Show]:
    """Opens a page that was rendered before: the browser forbids Django its database meanwhile."""
    with chromium() as browser:

        def show(html: str, posted: list[Any]) -> Page:
            page = browser.new_page()
            page.route("**/*", lambda route: answer(route, html, posted))
            page.goto(f"{SITE}/page")
            return page

        yield show


def answer(route: Route, html: str, posted: list[Any]) -> None:
    path = route.request.url.removeprefix(SITE).partition("?")[0]
    if route.request.method == "POST":
        posted.append(json.loads(route.request.post_data or "null"))
        part = {"kind": "text", "title": "Text", "text": HOSTILE}
        route.fulfill(json={"parts": [part], "duration_ms": 5, "is_error": True, "failure": ""})
    elif path == "/page":
        route.fulfill(body=html, content_type="text/html")
    elif path.startswith("/static/") and (found := finders.find(path.removeprefix("/static/"))):
        route.fulfill(path=str(found))
    else:
        route.fulfill(status=404)


def rendered(client: Client, server: MCPTool, schema: Any) -> str:
    function = ToolFunction.objects.get(server=server)
    ToolFunction.objects.filter(pk=function.pk).update(input_schema=schema)
    return client.get(f"/admin/servers/{server.pk}/inspector/?tool={function.pk}").content.decode()


@pytest.fixture
def inspector(admin_client: Client, clock: MCPTool) -> str:
    return rendered(admin_client, clock, SCHEMA)


@pytest.fixture
def inspector_of_600(admin_client: Client, clock: MCPTool) -> str:
    properties = {f"p{number}": {"type": "string"} for number in range(600)}
    return rendered(admin_client, clock, {"type": "object", "properties": properties})


@pytest.fixture
def add_form(admin_client: Client) -> str:
    return admin_client.get(f"{SERVERS}add/").content.decode()


def test_a_form_is_made_from_a_schema_and_its_values_are_sent(inspector: str, shown: Show) -> None:
    posted: list[Any] = []
    page = shown(inspector, posted)
    page.locator("label:has-text('city') + textarea").fill("Oslo")
    page.locator(".field-row:has(> label:text-is('unit')) > select").select_option(label="F")
    page.locator(".field-row:has(> label:text-is('when')) > input").fill("2026-01-31")
    page.locator("[aria-label='tags'] button:has-text('Add an item')").click()
    page.keyboard.type("wind")
    page.locator("[aria-label='by'] > div > select").select_option(label="Code")
    page.locator("[aria-label='by'] input[type=number]").fill("7")
    page.locator("#inspector-run").click()
    page.locator("[data-answer=yes]").click()
    page.locator("#inspector-result").wait_for()
    wanted = {
        "city": "Oslo",
        "days": 3,
        "unit": "F",
        "when": "2026-01-31",
        "tags": ["wind"],
        "by": {"code": 7},
    }
    assert posted[0]["arguments"] == wanted
    assert posted[0]["confirmed"] is True
    assert "The tool reports an error" in page.locator("#inspector-result").inner_text()
    assert HOSTILE in page.locator("#inspector-result .output").inner_text()
    assert page.title() != "owned"


def test_nothing_is_called_without_consent(inspector: str, shown: Show) -> None:
    posted: list[Any] = []
    page = shown(inspector, posted)
    page.locator("#inspector-run").click()
    page.keyboard.press("Escape")
    page.locator("#inspector-confirm").wait_for(state="hidden")
    page.locator("#inspector-run").click()
    page.locator("[data-answer=no]").click()
    assert posted == []


def test_form_and_json_show_the_same(inspector: str, shown: Show) -> None:
    page = shown(inspector, [])
    page.locator("#inspector-as-json").click()
    assert json.loads(page.locator("#inspector-json").input_value()) == {"city": "", "days": 3}
    page.locator("#inspector-json").fill('{"city": "Rome", "days": 1, "extra": [1], "tags": ["a", "b"]}')
    page.locator("#inspector-as-form").click()
    assert page.locator("label:has-text('city') + textarea").input_value() == "Rome"
    page.locator("#inspector-as-json").click()
    again = json.loads(page.locator("#inspector-json").input_value())
    assert again == {"city": "Rome", "days": 1, "extra": [1], "tags": ["a", "b"]}
    page.locator("#inspector-json").fill("{oops")
    page.locator("#inspector-as-form").click()
    assert "Not valid JSON" in page.locator("#inspector-note").inner_text()


def test_a_schema_that_is_too_large_for_a_form_is_written_as_json(inspector_of_600: str, shown: Show) -> None:
    page = shown(inspector_of_600, [])
    assert page.locator("#inspector-json").is_visible()
    assert "too large" in page.locator("#inspector-note").inner_text()


def test_rows_are_added_and_removed_by_keyboard(add_form: str, shown: Show) -> None:
    page = shown(add_form, [])
    names = page.locator("input[name=env-name]")
    names.first.focus()
    page.keyboard.type("A")
    page.keyboard.press("Enter")
    page.keyboard.type("B")
    assert names.count() == 2
    page.locator("[data-pairs=env] [data-remove]").first.press("Enter")
    assert [names.nth(number).input_value() for number in range(names.count())] == ["B"]


def test_fields_follow_the_transport(add_form: str, shown: Show) -> None:
    page = shown(add_form, [])
    assert page.locator("input[name=command]").is_visible()
    assert not page.locator("input[name=url]").is_visible()
    page.locator("select[name=connection_type]").select_option("streamable_http")
    page.locator("input[name=url]").wait_for(state="visible")
    assert not page.locator("input[name=command]").is_visible()
