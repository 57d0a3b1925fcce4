"""Every page in a real browser: axe finds nothing serious, nothing is wider than its window, nothing fails.

At 1280 and 390 pixels, light and dark.
"""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from apikeys.models import AuditEntry
from tests.clients.worlds import Node
from tests.console import browser
from tests.console.site import Rows, pages
from tests.console.world import fill

AXE = Path(__file__).parent / "axe"
WIDTHS = {1280: 900, 390: 844}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
RUN = """rules => axe.run(document, rules).then(found => found.violations.map(({id, impact, nodes}) =>
    ({id, impact, nodes: nodes.slice(0, 3).map(node => node.html.slice(0, 240))})))"""
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
NO_PAGES = {"logout", "search"}


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


@pytest.fixture
def rows(transactional_db: None) -> Rows:
    made: Rows = dict(fill("a text of a server, somewhat long so that it wraps"))
    made[User] = User.objects.create_user("somebody")
    made[Group], _ = Group.objects.get_or_create(name="viewer")
    made[AuditEntry] = AuditEntry.objects.latest("pk")
    return made


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("look", [f"{width} {scheme}" for width in WIDTHS for scheme in ("light", "dark")])
def test_every_page_is_accessible(
    axe: str, rows: Rows, admin_client: Client, live_server: Any, look: str
) -> None:
    width, scheme = int(look.split(maxsplit=1)[0]), look.split()[1]
    session = admin_client.cookies[settings.SESSION_COOKIE_NAME].value
    addresses = [page.address for page in pages(rows) if page.name not in NO_PAGES]
    readable = [address for address in addresses if is_page(admin_client, address)]
    viewport = {"width": width, "height": WIDTHS[width]}
    wrong: list[str] = []
    with browser.chromium() as chromium:
        context = browser.logged_in(
            chromium, live_server.url, session, viewport=viewport, color_scheme=scheme, bypass_csp=False
        )
        for address in readable:
            page = context.new_page()
            wrong += problems(page, live_server.url + address, axe)
            page.close()
        context.close()
    assert wrong == [], "\n".join(wrong)


def is_page(client: Client, address: str) -> bool:
    response = client.get(address)
    return response.status_code == 200 and response.headers["Content-Type"].startswith("text/html")


def problems(page: Any, address: str, axe: str) -> list[str]:
    """Returns what is wrong with a page: axe's serious findings, its width, and errors of scripts."""
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(address)
    page.wait_for_load_state("load")
    page.wait_for_timeout(400)
    page.evaluate(axe)
    found = [each for each in page.evaluate(RUN, RULES) if each["impact"] in ("serious", "critical")]
    wrong = [f"{each['id']} {each['nodes']}" for each in found] + told
    if (more := page.evaluate(WIDER)) > 0:
        wrong.append(f"{more} pixels wider than its window")
    path = address.partition("/admin")[2]
    return [f"{path}: {each}" for each in wrong]
