"""A walk over every page of the console in Simplified Chinese: whatever is still English there is data."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils.translation import override

from apikeys.models import AuditEntry
from tests.console.people import member
from tests.console.site import Rows, pages
from tests.console.test_translations import NAMES
from tests.console.world import fill

pytestmark = pytest.mark.django_db
SHOWN_ATTRIBUTES = ("title", "placeholder", "aria-label", "alt")
NO_TEXT = {"script", "style", "code", "pre", "svg", "textarea"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
CHINESE = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"[A-Za-z']+ [a-z']+ [a-z']+")
PRODUCTS = {
    "Amazon",
    "Anthropic",
    "Bedrock",
    "Claude",
    "Code",
    "Ctrl",
    "Cursor",
    "Desktop",
    "Gemini",
    "Google",
    "HTTP",
    "LangChain",
    "LibreChat",
    "Node",
    "Ollama",
    "Open",
    "OpenAI",
    "Python",
    "REST",
    "SDK",
    "Schema",
    "Streamable",
    "WebUI",
    "esc",
    "npx",
    "token",
}
DATA = {
    "Clock",
    "Helper",
    "Key",
    "ask",
    "auditor",
    "clock",
    "default",
    "description",
    "enum",
    "examples",
    "false",
    "global",
    "gpt",
    "helper",
    "kind",
    "machine",
    "manager",
    "mini",
    "minilm",
    "new",
    "now",
    "null",
    "object",
    "old",
    "operator",
    "properties",
    "readOnlyHint",
    "run",
    "shuju",
    "somebody",
    "staff",
    "string",
    "system",
    "tests",
    "the",
    "title",
    "true",
    "type",
    "viewer",
    "webhook",
    "world",
    "zone",
}
"""What the rows hold that are made for this walk; names of groups are data, too."""
DJANGOS = re.compile(r"relationship|_permissions object|_keys object|_groups object")
"""Django has no Chinese for the rows that relate two others, which a page of deletion lists."""
FIELDS = re.compile(
    r"[a-z]+(_[a-z]+)+|name|approver|conditions|effect|mask|position|reason|scope|assistant|tests \(.*\)"
    r"|ak-.*|msg_.*"
)
"""Names of fields in the audit log, as the API has them, beginnings of keys, and ids of messages."""
QUOTED = re.compile(
    r"Ask before private data can leave with foreign words|call\.[\w.()'@ >]+|'\w+' in touched"
)
"""The name of the rule that is shipped, which is stored as others are, and expressions of rules."""


class Shown(HTMLParser):
    """Collects what a page shows: its texts, and those of attributes that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.without_text = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        is_icon = "material-symbols-outlined" in (given.get("class") or "")
        if tag not in VOID and (self.without_text or tag in NO_TEXT or is_icon):
            self.without_text += 1
        self.texts += [given[name] for name in SHOWN_ATTRIBUTES if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self.without_text -= bool(self.without_text)

    def handle_data(self, data: str) -> None:
        if not self.without_text and data.strip():
            self.texts.append(" ".join(data.split()))


def english_in(page: str) -> list[str]:
    shown = Shown()
    shown.feed(page)
    return [text for text in shown.texts if is_english(text)]


def is_english(text: str) -> bool:
    """No Chinese character, and a word that is neither a name nor data; or a piece of a sentence."""
    text = QUOTED.sub("", text)
    if DJANGOS.search(text) or FIELDS.fullmatch(text) or text.startswith(("{", "http", "English", "zh-hans")):
        return False
    if CHINESE.search(text):
        return SENTENCE.search(text) is not None
    words = re.findall(r"[A-Za-z]{3,}", text)
    names = {part for name in NAMES for part in name.split()} | PRODUCTS | DATA
    return any(word not in names and word.lower() not in names for word in words)


@pytest.fixture
def rows(db: None) -> Rows:
    made: Rows = dict(fill("数据"))
    made[User] = User.objects.create_user("somebody")
    made[Group] = Group.objects.get(name="viewer")
    made[AuditEntry] = AuditEntry.objects.latest("pk")
    return made


def test_english_is_found() -> None:
    page = '<p title="Go back">返回</p><p>数据 is not there</p><p>MCP 服务器</p><code>Call it</code>'
    found = english_in(page)
    assert found == ["Go back", "数据 is not there"]


def test_no_page_shows_english_to_a_chinese_reader(rows: Rows) -> None:
    browser = Client(headers={"Accept-Language": "zh-CN"})
    browser.force_login(member("manager"))
    found = []
    with override(None):
        for page in pages(rows):
            response = browser.get(page.address)
            is_page = response.headers.get("Content-Type", "").startswith("text/html")
            if response.status_code == 200 and is_page and (left := english_in(response.content.decode())):
                found += [f"{page.address}: {text}" for text in sorted(set(left))]
    assert "\n".join(found) == ""
