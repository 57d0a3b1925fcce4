"""Nothing moves on a page when the state of a server changes: measured by a real browser.

The page and what its script asks for are rendered before, in each state: see test_server_scripts.
"""

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect

from connector.models import Instance
from tests.console.browser import chromium, missing
from tests.console.pages import SERVERS
from tests.console.test_server_scripts import SITE, answer
from tools.admin.server_changes import HEADER
from tools.models import MCPTool

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(missing() is not None, reason=missing() or ""),
]
ERROR = {"class": "crashed", "message": "It ended with exit code 1. " * 6, "remedy": "Read its last lines."}
STATES: dict[str, tuple[str, dict[str, Any] | None]] = {
    "starting": ("starting", None),
    "running": ("ready", None),
    "error": ("backoff", ERROR),
    "degraded": ("degraded", None),
    "stopped": ("released", None),
}
WATCH = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      window.shifts.push([value, sources.map(({ node }) => (node?.outerHTML || "").slice(0, 99))]);
    }
  }).observe({ type: "layout-shift" });
}"""
PLACES = """() => [...document.querySelectorAll("tr, .card, .output, .tabs, [data-live], .pill, h2, dt")]
  .map((each) => [each, each.getBoundingClientRect()])
  .filter(([each, { width }]) => width > 0 && !each.matches(".notice *"))
  .map(([each, { x, y, width }]) => [each.tagName, x, y, width])"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def in_state(server: MCPTool, status: str) -> None:
    phase, error = STATES[status]
    MCPTool.objects.filter(pk=server.pk).update(status=status, error=error)
    Instance.objects.filter(server=server).update(
        phase=phase, error=error, pid=7 if phase == "ready" else None, stderr_tail="line\n" * len(status)
    )


@pytest.fixture(params=["list", "instances"])
def address(request: pytest.FixtureRequest, clock: MCPTool) -> str:
    Instance.objects.create(server=clock, phase="starting")
    return {"list": SERVERS, "instances": f"/admin/servers/{clock.pk}/instances/"}[request.param]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_when_a_state_changes(
    admin_client: Client, clock: MCPTool, address: str, width: int
) -> None:
    live = f"{SERVERS}live/?ids={clock.pk}" if address == SERVERS else f"{address}?live"
    answers = {}
    for status in reversed(STATES):
        in_state(clock, status)
        response = admin_client.get(live)
        answers[status] = (response.content, response.headers["Content-Type"], response.headers[HEADER])
    html = admin_client.get(address).content.decode()
    words = {status: str(MCPTool(status=status).get_status_display()) for status in STATES}
    shown = ["starting"]
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.route("**/*", lambda route: respond(route, html, answers[shown[0]], shown[0]))
        page.goto(f"{SITE}/page", wait_until="networkidle")
        page.evaluate("document.fonts.ready.then(() => null)")
        page.evaluate(TWO_FRAMES)
        page.evaluate(WATCH)
        before = places(page)
        for status in STATES:
            shown[0] = status
            ask(page)
            if address == SERVERS:
                expect(page.locator("[data-live=state] .pill")).to_contain_text(words[status])
            page.evaluate(TWO_FRAMES)
            assert places(page)[: len(before)] == before, status
        assert page.evaluate("window.shifts") == []


def places(page: Page) -> list[Any]:
    """What a page shows, with the place of each from the left and the top, and its width."""
    return list(page.evaluate(PLACES))


def ask(page: Page) -> None:
    """Has the page ask what moves now, as it does when it is looked at again; waits for the answer."""
    with page.expect_response(lambda response: "live" in response.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def respond(route: Route, html: str, live: tuple[bytes, str, str], status: str) -> None:
    content, kind, changes = live
    path = route.request.url.removeprefix(SITE)
    if path.endswith("?live") or "/live/" in path:
        route.fulfill(body=content, headers={"Content-Type": kind, HEADER: changes})
    elif path.startswith("/admin/servers/changes"):
        route.fulfill(body=status)
    else:
        answer(route, html, [])
