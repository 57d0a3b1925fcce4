"""What pages say in Python and JavaScript is taken from the catalogue: no text stands there as it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.translations import APPS, ROOT

SHOWN = {"description", "title", "label", "help_text", "verbose_name", "search_help_text", "empty_label"}
"""Arguments and attributes that people read."""
TELLING = {"message_user", "success", "error", "warning", "info"}
SCRIPTS = sorted((ROOT / "config/static/console").glob("*.js"))
NO_NAME = re.compile(r"[a-z]+ [a-z]+|^[A-Z][a-z]+$")
"""Words, as opposed to a name such as JSON or a key such as `server_id`."""


def pages_in_python() -> list[Path]:
    folders = ("admin", "console")
    return sorted(path for app in APPS for each in folders for path in (ROOT / app / each).rglob("*.py"))


def texts(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose value people read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in SHOWN:
            yield node.value
        if isinstance(node, ast.Assign) and any(getattr(name, "id", "") in SHOWN for name in node.targets):
            yield node.value
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in TELLING:
            yield from node.args[1:2]


def untranslated(code: str) -> list[str]:
    found = []
    for text in texts(ast.parse(code)):
        parts = text.values if isinstance(text, ast.JoinedStr) else [text]
        words = [part.value for part in parts if isinstance(part, ast.Constant)]
        found += [word for word in words if isinstance(word, str) and NO_NAME.search(word)]
    return sorted(found)


def test_untranslated_texts_are_found() -> None:
    code = """
@admin.display(description="Called as")
def called(self): ...
title = "Runs"
messages.success(request, f"{name} is saved.")
search_help_text = _("Finds names.")
label = "JSON"
"""
    assert untranslated(code) == [" is saved.", "Called as", "Runs"]


@pytest.mark.parametrize("path", pages_in_python(), ids=lambda path: str(path.relative_to(ROOT)))
def test_python_of_pages_has_its_texts_from_the_catalogue(path: Path) -> None:
    assert untranslated(path.read_text()) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_have_their_texts_from_the_page(path: Path) -> None:
    """In data- attributes or JSON that the template wrote."""
    code = re.sub(r"/\*.*?\*/|^\s*//.*$", "", path.read_text(), flags=re.S | re.M)
    set_as_text = re.findall(
        r"(?:textContent|innerText|title|placeholder|ariaLabel)\s*[=:]\s*[\"'`]([^\"'`]*)[\"'`]", code
    )
    sentences = re.findall(r"[\"'`]([A-Z][a-z]+,? [a-z]+[^\"'`\n]*)[\"'`]", code)
    assert [text for text in (*set_as_text, *sentences) if re.search("[A-Za-z]{2}", text)] == []
