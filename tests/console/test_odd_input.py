"""Odd input to the admin: nothing answers with a bare 500, and no form saves what REST cannot be sent."""

from typing import Any

import pytest
from django.test import Client

from assistants import actions
from assistants.models import Assistant
from tests.console.pages import (
    ASSISTANTS,
    BY,
    GRANTS,
    KEYS,
    PROVIDERS,
    SERVERS,
    choose_tools,
    errors_of,
    send,
)
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
PAGES = [
    ASSISTANTS,
    GRANTS,
    KEYS,
    PROVIDERS,
    SERVERS,
    "/admin/apikeys/auditentry/",
    "/admin/assistants/run/",
    "/admin/connector/instance/",
    "/admin/tools/toolfunction/",
]
QUERIES = [
    "q=%00",
    "q=%FF",
    "status=%00",
    "connection_type__exact=%00",
    "flow__in=%00",
    "action=%00",
    "kind=%00",
    "selection=%00",
    "is_enabled__exact=maybe",
    "provider__id__exact=x",
    "provider__id__exact=99999999999999999999999999",
    "id__in=a,b",
    "p=99999999999999999999",
    "p=x",
    "o=99.-99.x",
    "_to_field=name",
    "at__year=99999",
    "at__day=99&at__month=1&at__year=1",
    "_changelist_filters=%00",
]
BROKEN = [
    "[" * 100_000,
    '{"a":' * 100_000,
    '"\\ud800"',
    '["\\ud800"]',
    '{"A": "\\ud800"}',
    '{"\\udfff": "x"}',
    '{"extra": {"\\ud800": 1}}',
    "NaN",
    "[NaN]",
    '{"A": Infinity}',
    '{"extra": {"x": NaN}}',
    "1" * 5_000,
    '["\\u0000"]',
    '{"A": "1", "A": "2"}',
    '1}, "other": {"a": 1',
    '1, "other": 2',
    "[1",
    "not json",
]


@pytest.mark.parametrize("page", PAGES)
def test_no_query_fails_a_list(admin_client: Client, page: str) -> None:
    statuses = {query: admin_client.get(f"{page}?{query}").status_code for query in QUERIES}
    assert {query: status for query, status in statuses.items() if status not in {200, 302, 400}} == {}


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_there_is_a_redirect(admin_client: Client, page: str) -> None:
    for pk in ("x", "%00", "9" * 30, "-1", "_5F", "1_2F2"):
        for name in ("change", "delete", "history"):
            assert admin_client.get(f"{page}{pk}/{name}/").status_code in {302, 403, 404}, pk


@pytest.mark.parametrize("page", [ASSISTANTS, GRANTS, KEYS, PROVIDERS, SERVERS])
def test_an_action_on_nothing_does_nothing(admin_client: Client, page: str) -> None:
    for action in ("delete_selected", "start", "disable", "fly", ""):
        for selected in ("x", "\0", "9" * 30, "-1", ""):
            for more in ({}, {"post": "yes"}, {"index": "x"}, {"index": "-5"}):
                chosen = {"action": action, "_selected_action": [selected], **more}
                assert admin_client.post(page, chosen).status_code in {200, 302}, chosen


ODD_TEXTS = ["nul\0", "\ud800", "x" * 33_000]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_of_a_server_are_told_beside_them(admin_client: Client, text: str) -> None:
    # A browser sends no lone surrogates, other clients do: percent-encoded, which Django reads as U+FFFD.
    if text != "\ud800":
        for field in ("env", "headers"):
            assert list(errors_of(send(admin_client, SERVERS, **{field: {"A": text}}))) == [field]
    assert list(errors_of(send(admin_client, SERVERS, args=[text]))) == ["args"]
    assert not MCPTool.objects.exists()


def test_broken_json_of_an_assistant_is_told_beside_it(admin_client: Client) -> None:
    for text in BROKEN:
        assert list(errors_of(send(admin_client, ASSISTANTS, parameters=text))) == ["parameters"], text[:50]
    assert not Assistant.objects.exists()


def test_broken_choices_of_tools_change_nothing(admin_client: Client, clock: MCPTool) -> None:
    helper = actions.create(by=BY, name="Helper", tools=[clock])
    server = f'[{{"server": {clock.pk}, "functions": null, "pinned": ["\\ud800"]}}]'
    for text in (*BROKEN, "[" * 900_000, "{}", "[{}]", '[{"server": "1"}]', server):
        refused = choose_tools(admin_client, helper, uses=text)
        assert refused.status_code == 422, text[:50]
    helper.refresh_from_db()
    assert helper.version == 1


@pytest.mark.parametrize(
    "value", [{"A": "\u2028<&\\ ü 🌧"}, {"A": '"}, {"'}, {"A": ""}, {}, {"A": "\n\t"}, {"A": "x" * 10_000}]
)
def test_sound_variables_are_saved_as_they_are(admin_client: Client, value: dict[str, Any]) -> None:
    assert send(admin_client, SERVERS, env=value).status_code == 302
    assert MCPTool.objects.get().env == value
