"""Every page in a real browser: axe finds nothing serious, nothing is wider than its window, nothing fails.

At 1280 and 390 pixels, light and dark, and once in Chinese. Whatever can be focused shows that it is.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from apikeys.models import AuditEntry
from connector.models import OAuthGrant
from tests.clients.worlds import Node
from tests.console import browser
from tests.console.pages import KEYS, SERVERS
from tests.console.site import Rows, pages, routes
from tests.console.world import fill
from tools.models import MCPTool

AXE = Path(__file__).parent / "axe"
WIDTHS = {1280: 2400, 390: 844}  # the wide one so high that no field lies below the bar that stays in sight
LOOKS = [f"{width} {scheme} en" for width in WIDTHS for scheme in ("light", "dark")] + ["390 light zh-CN"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
RUN = """rules => axe.run(document, rules).then(found => found.violations.map(({id, impact, nodes}) =>
    ({id, impact, nodes: nodes.slice(0, 3).map(node => node.html.slice(0, 240))})))"""
NOT_FOUND = "/admin/nothing/"
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
UNSEEN_FOCUS = (Path(__file__).parent / "unseen_focus.js").read_text()
WORDLESS_PILLS = """() => [...document.querySelectorAll(".pill")]
    .filter(pill => !pill.querySelector(".pill-word")?.textContent.trim()).map(pill => pill.outerHTML)"""
LEFT_OUT = re.compile(
    r"logout/|jsi18n/|autocomplete/|search/|r/<.*>/|.*<path:object_id>/|\(\?P<url>.*"  # Django's, no pages
    r"|.*/<path:object_id>/history/"  # leads to the audit log
    r"|.*/tools/search/|tools/mcptool/live/|usage/csv/"  # parts of pages, and a file
    r"|.*/(start|stop|restart|refresh|duplicate|toggle|up|down|resend)/|needs-you/.+/|playground/chat|connector/.*/(login|callback)/"
    r"|(servers/.*|assistants/provider/<int:pk>)/test/|servers/test/|.*/inspector/call/"  # posted alone
    r"|assistants/approval/(<int:pk>/(state|decide)/|<path:object_id>/change/)|assistants/rule/dry-run/"
    r"|(apikeys/auditentry|tools/toolfunction|connector/instance|assistants/run|assistants/approval|assistants/delivery)/(add|<path:object_id>/delete)/"
)
"""Routes that show nobody a page."""


class Axe(Node):
    """axe-core, installed from its lock."""

    folder = AXE
    lock = AXE / "package-lock.json"
    installed = AXE / "node_modules"


@pytest.fixture
def axe() -> str:
    if (reason := browser.missing() or Axe.missing()) is not None:
        pytest.skip(reason)
    Axe({}).install()
    return (Axe.installed / "axe-core" / "axe.min.js").read_text()


def rows() -> Rows:
    made: Rows = dict(fill("a text of a server, somewhat long so that it wraps"))
    made[User] = User.objects.create_user("somebody")
    made[Group], _ = Group.objects.get_or_create(name="viewer")
    made[AuditEntry] = AuditEntry.objects.latest("pk")
    server: Any = made[MCPTool]
    made[OAuthGrant] = OAuthGrant.objects.create(server=server)
    return made


def addresses(client: Client) -> dict[str, str]:
    """Returns the address of every page, by its route."""
    found = {page.route: page.address for page in pages(rows())}
    (of_apps,) = (route for route in routes() if "(?P<app_label>" in route)
    found[of_apps] = "/admin/tools/"
    left = {route: address for route, address in found.items() if not LEFT_OUT.fullmatch(route)}
    return {route: address for route, address in left.items() if is_page(client, address)}


def is_page(client: Client, address: str) -> bool:
    response = client.get(address)
    return response.status_code == 200 and response.headers["Content-Type"].startswith("text/html")


@pytest.mark.django_db
def test_no_page_is_left_out(admin_client: Client) -> None:
    walked = {*addresses(admin_client), "login/"}
    assert len(walked) > 55
    assert [route for route in sorted(routes() - walked) if not LEFT_OUT.fullmatch(route)] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible(
    axe: str, transactional_db: None, admin_client: Client, live_server: Any, look: str
) -> None:
    width, scheme, language = look.split()
    session = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    walked = list(addresses(admin_client).values())
    viewport = {"width": int(width), "height": WIDTHS[int(width)]}
    options = {"viewport": viewport, "color_scheme": scheme, "locale": language, "base_url": live_server.url}
    wrong: list[str] = []
    with browser.chromium() as chromium:
        context = browser.logged_in(chromium, live_server.url, session, **options)
        for name, show in visits(walked):
            wrong += [f"{name}: {each}" for each in problems(context, show, axe)]
        context.clear_cookies()
        wrong += problems(context, lambda page: page.goto("/admin/login/"), axe)
        context.close()
    assert wrong == [], "\n".join(wrong)


def visits(walked: list[str]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yields names and what shows a page: those with an address, and those that follow a form."""
    for address in walked:
        yield address, lambda page, address=address: page.goto(address)
    yield from {
        "new key": new_key,
        "preview": preview,
        "errors": errors,
        "not found": lambda page: page.goto(NOT_FOUND),
    }.items()


def new_key(page: Any) -> None:
    page.goto(f"{KEYS}add/")
    page.fill("#id_name", "new")
    page.click("[name=_save]")
    page.wait_for_selector("#copy-key")


def preview(page: Any) -> None:
    page.goto(f"{SERVERS}paste/")
    page.fill("textarea", '{"mcpServers": {"a": {"command": "uvx", "env": {"TOKEN": "s"}}, "b": {"url": 1}}}')
    page.click("[value=preview]")
    page.wait_for_selector(".card")


def errors(page: Any) -> None:
    page.goto(f"{SERVERS}add/")
    page.evaluate("document.querySelector('#id_name').required = false")
    page.click("[name=_save]")
    page.wait_for_load_state("load")


def problems(context: Any, show: Callable[[Any], Any], axe: str) -> list[str]:
    """Returns what is wrong with a page: axe's serious findings, its width, its focus, errors of scripts."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if is_failure(told) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    show(page)
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)
    page.evaluate(axe)
    found = [each for each in page.evaluate(RUN, RULES) if each["impact"] in ("serious", "critical")]
    wrong += [f"{each['id']} {each['nodes']}" for each in found]
    if (more := page.evaluate(WIDER)) > 0:
        wrong.append(f"{more} pixels wider than its window")
    wrong += [f"no word in {each}" for each in page.evaluate(WORDLESS_PILLS)]
    page.keyboard.press("Tab")  # from now on focus is that of a keyboard
    wrong += [f"focus is not seen on {each}" for each in page.evaluate(UNSEEN_FOCUS)]
    page.close()
    return wrong


def is_failure(told: Any) -> bool:
    return bool(told.type == "error") and NOT_FOUND not in told.location.get("url", "")
