"""The console in Simplified Chinese: nothing of ours is left in English."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.utils.functional import Promise
from django.utils.translation import override
from rest_framework.test import APIClient

from tests.console import translations
from tests.console.conftest import fields_of
from tests.console.pages import KEYS, errors_of, send
from tests.console.people import member

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
NAMES = {
    "MCP Connector",
    "MCP",
    "URL",
    "JSON",
    "CSV",
    "REST",
    "Webhook",
    "Ctrl",
    "SSE",
    "stdio",
    "OAuth",
    "API",
    "LLM",
    "ID",
    "PID",
    "curl",
    "UTC",
}
"""Words that are the same in both languages."""


def test_every_string_is_translated() -> None:
    stored = {message.id: message.string for message in translations.stored() if message.id}
    wanted = [each.id for each in translations.catalogue(translations.ours(), translations.ROOT) if each.id]
    assert len(wanted) > 30
    assert [message for message in wanted if not translations.is_translated(stored.get(message, ""))] == []


def test_every_string_of_unfold_is_translated() -> None:
    stored = {message.id: message.string for message in translations.stored() if message.id}
    wanted = [each.id for each in translations.catalogue(translations.unfolds(), translations.UNFOLD.parent)]
    assert [each for each in wanted if each and not translations.is_translated(stored.get(each, ""))] == []


def test_translations_have_the_placeholders_of_their_strings() -> None:
    def placeholders(text: Any) -> set[str]:
        return set(PLACEHOLDER.findall(" ".join(text) if isinstance(text, tuple) else text))

    translated = [
        each for each in translations.stored() if each.id and translations.is_translated(each.string)
    ]
    assert [each.id for each in translated if placeholders(each.id) != placeholders(each.string)] == []


def test_translations_can_be_formatted() -> None:
    """A sign % of their own, as in 95%, is doubled where Python formats the text."""
    for each in translations.stored():
        if each.id and re.search(r"%\(\w+\)", str(each.id)):
            texts = each.string if isinstance(each.string, tuple) else (each.string,)
            for text in texts:
                assert text % dict.fromkeys(re.findall(r"%\((\w+)\)", str(each.id)), 1), text


def test_the_compiled_catalogue_is_that_of_the_readable_one() -> None:
    # Not compared by pytest, which takes minutes to show where 150,000 bytes differ.
    is_same = translations.MO.read_bytes() == translations.compiled(translations.stored())
    assert is_same, "Run `make messages`, and commit the compiled catalogue."


@pytest.mark.parametrize("path", translations.templates(), ids=lambda path: path.name)
def test_a_template_holds_no_word_outside_of_a_translation(path: Path) -> None:
    text = path.read_text()
    text = re.sub(r"{%\s*comment.*?endcomment\s*%}|{#.*?#}|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"{%\s*blocktranslate.*?endblocktranslate\s*%}", "", text, flags=re.S)
    text = re.sub(r"<(script|style|svg|code|pre)\b.*?</\1>", "", text, flags=re.S)
    text = re.sub(r"{%.*?%}|{{.*?}}", "", text, flags=re.S)
    # The name of an icon in the font of icons.
    text = re.sub(r"<span class=\"material-symbols-outlined[^>]*>[^<]*</span>", "", text)
    attributes = re.findall(r"(?:title|placeholder|aria-label|alt)=\"([^\"]*)\"", text)
    # Texts for scripts: a word with a capital letter, or several words.
    attributes += re.findall(r"data-[\w-]+=\"([A-Z][a-z][^\"]*|[a-z]+ [^\"]*)\"", text)
    shown = re.sub(r"<[^>]*>|&\w+;", " ", text) + " ".join(attributes)
    for name in sorted(NAMES, key=len, reverse=True):
        shown = shown.replace(name, "")
    assert re.findall(r"[A-Za-z]{3,}", shown) == []


def test_names_and_help_of_models_are_translatable() -> None:
    """Of every model with a page: its names, and the help of the fields that its form shows."""
    untranslated = []
    for model, page in admin.site._registry.items():
        opts = model._meta
        shown = page.fields or [field.name for field in opts.fields]
        if opts.app_label not in translations.APPS:
            continue
        if not (isinstance(opts.verbose_name, Promise) and isinstance(opts.verbose_name_plural, Promise)):
            untranslated.append(opts.label)
        for field in opts.fields:
            if (
                field.name in shown
                and field.editable
                and not isinstance(field.verbose_name, Promise)
                and str(field.verbose_name) not in NAMES
            ):
                untranslated.append(f"{field}.verbose_name")
            if field.help_text and not isinstance(field.help_text, Promise):
                untranslated.append(f"{field}.help_text")
    assert sorted(untranslated) == []


@pytest.mark.django_db
def test_the_language_is_the_browsers_and_can_be_chosen(client: Client) -> None:
    with override(None):
        chinese = client.get("/admin/login/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
        assert 'lang="zh-hans"' in chinese.content.decode()
        client.post("/i18n/setlang/", {"language": "en"})
        chosen = client.get("/admin/login/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
        assert 'lang="en"' in chosen.content.decode()


def test_a_rule_refuses_in_the_language_of_the_console_and_in_english_in_the_api(api: APIClient) -> None:
    staff = Client(headers={"Accept-Language": "zh-CN"})
    staff.force_login(member("manager"))
    with override(None):
        assert "CIDR 表示法" in str(errors_of(send(staff, KEYS, allowed_networks="here")))
        body = {"name": "bob", "allowed_networks": ["here"]}
        refused = api.post("/api/v1/api-keys", body, format="json", headers={"Accept-Language": "zh-CN"})
        assert "Give networks in CIDR notation" in str(fields_of(refused))
