"""A server and a caller whose every text is an attack: each page shows text, and stays small."""

from html.parser import HTMLParser

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apikeys.models import AuditEntry
from tests.console.pages import BY
from tests.console.site import Rows, pages
from tests.console.world import fill
from tools import actions

pytestmark = pytest.mark.django_db
MARK = "zqx"
ATTACK = (
    f"<b>{MARK}</b><script>{MARK}()</script>\"'`--><img src=x onerror={MARK}()>{{{{{MARK}}}}}${{{MARK}}}"
    f"\x1b[31m{MARK}\x1b]8;;http://evil.example\x07\u202e{MARK}\u2066\u200b\x00\x9b31m javascript:{MARK}"
)
LONG = ATTACK + "A" * 2_000_000
MOST_BYTES = 600_000
INVISIBLE = "\x1b\x9b\u202e\u2066\u200b"
EVALUATED = ("x-", "@", ":", "hx-", "on")
"""Beginnings of the names of attributes that Alpine, htmx or the browser evaluates."""


class Attributes(HTMLParser):
    """Collects what a browser would run, or lay out wrongly, of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith(EVALUATED) and MARK in (value or ""):
                self.wrong.append(f"<{tag} {name}={value!r:.80}>")
            if name in ("href", "src", "action") and (value or "").lower().lstrip().startswith("javascript:"):
                self.wrong.append(f"<{tag} {name}={value!r:.80}>")
        if tag == "img" and ("src", "x") in attrs:
            self.wrong.append("an image of the server's")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def problems(address: str, content: str) -> list[str]:
    parser = Attributes()
    parser.feed(content)
    wrong = parser.wrong
    if f"<script>{MARK}" in content or f"<b>{MARK}" in content:
        wrong.append("markup")
    if len(content) > MOST_BYTES:
        wrong.append(f"{len(content)} characters")
    wrong += [f"U+{ord(each):04X}" for each in INVISIBLE if each in "".join(parser.text)]
    return [f"{address}: {each}" for each in wrong]


@pytest.fixture
def rows(db: None) -> Rows:
    made: Rows = dict(fill(ATTACK, LONG))
    (server,) = (row for row in made.values() if row._meta.model_name == "mcptool")
    actions.update(server, by=BY, description="other")
    made[User] = User.objects.create_user("somebody")
    made[Group] = Group.objects.get(name="viewer")
    made[AuditEntry] = AuditEntry.objects.filter(action="updated").latest("pk")
    return made


def test_every_page_shows_text(rows: Rows, admin_client: Client) -> None:
    found: list[str] = []
    seen = 0
    for page in pages(rows):
        if page.name in {"logout", "login"}:
            continue
        response = admin_client.get(page.address)
        assert response.status_code < 500, page.address
        if not response.headers["Content-Type"].startswith("text/html"):
            continue
        content = response.content.decode()
        seen += MARK in content
        if not page.name.endswith("_change") or page.view is not None or page.model is None:
            found += problems(page.address, content)
        else:  # a form shows one's own long texts as they are: they are to be edited
            found += [
                each
                for each in problems(page.address, content)
                if "U+" not in each and "characters" not in each
            ]
    assert found == [], "\n".join(found)
    assert seen > 10


@pytest.mark.parametrize("term", [MARK, ATTACK])
def test_ctrl_k_shows_text(rows: Rows, admin_client: Client, term: str) -> None:
    response = admin_client.get("/admin/search/", {"s": term, "extended": 1})
    assert problems("search", response.content.decode()) == []
