"""Real browsers for tests of pages: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
SESSION = "sessionid"


def missing() -> str | None:
    """Returns why there is no browser here, or None."""
    if os.access(CHROMIUM, os.X_OK):
        return None
    return "There is no Chromium: `apt-get install chromium`, or name one in the variable CHROMIUM."


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. Ask the database before: Playwright's loop forbids it to Django."""
    arguments = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def logged_in(browser: Browser, url: str, session: str, **options: Any) -> Any:
    """Returns a context of the browser with the session of somebody who is logged in."""
    context = browser.new_context(**options)
    context.add_cookies([{"name": SESSION, "value": session, "url": url}])
    return context
