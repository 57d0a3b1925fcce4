"""What journeys through the console share: addresses, and what a person looks for in its pages."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.console import browser as browsers
from tests.console.staff import PASSWORD
from tests.stack import SERVERS

LogIn = Callable[..., Page]
"""Logs a member of a group in at the login form, and returns the first page."""
SERVERS_PAGE, KEYS = "/admin/tools/mcptool/", "/admin/apikeys/apikey/"
ASSISTANTS = "/admin/assistants/assistant/"
in_a_browser = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(browsers.missing() is not None, reason=browsers.missing() or ""),
]


@contextmanager
def logins(url: str) -> Iterator[LogIn]:
    """Opens a browser for people whose name is `journey-` and their group. No script of a page may fail."""
    failures: list[str] = []
    expect.set_options(timeout=20_000)
    with browsers.chromium() as browser:

        def log_in(group: str, locale: str = "en-US") -> Page:
            clipboard = ["clipboard-read", "clipboard-write"]
            page = browser.new_context(locale=locale, base_url=url, permissions=clipboard).new_page()
            page.set_default_timeout(20_000)
            page.on("pageerror", lambda error: failures.append(f"{page.url}: {error}"))
            page.goto("/admin/")
            page.fill("#id_username", f"journey-{group}")
            page.fill("#id_password", PASSWORD)
            page.press("#id_password", "Enter")
            page.wait_for_url(f"{url}/admin/")
            return page

        yield log_in
    assert failures == []


def fake(*switches: str) -> dict[str, Any]:
    """Returns tests/servers/fake.py as a client's file has it."""
    return {"command": sys.executable, "args": [str(SERVERS / "fake.py"), *switches]}


def reload_until_shown(page: Page, wanted: Locator, *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not wanted.count():
        assert time.monotonic() < deadline, f"{page.url} does not show {wanted}"
        page.wait_for_timeout(500)
        page.reload()


def row_of(page: Page, server: str) -> Locator:
    return page.locator("tr.data-row", has_text=server)


def expect_state(page: Page, server: str, tone: str, word: str) -> None:
    """Waits until the list, which is open and is not loaded again, shows this state of a server."""
    page.evaluate("() => { window.isLoadedOnce = true; }")
    expect(row_of(page, server).locator(f"[data-live=state] .pill-{tone}")).to_contain_text(word)
    assert page.evaluate("window.isLoadedOnce")


def open_server(page: Page, name: str) -> None:
    page.goto(f"{SERVERS_PAGE}?q={name}")
    row_of(page, name).get_by_role("link").first.click()
    page.wait_for_url("**/change/**")
