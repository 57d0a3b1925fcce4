"""Forms of the admin, as a browser sends them."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from core.actor import Actor

BY = Actor.system("tests")
SERVERS, ASSISTANTS = "/admin/tools/mcptool/", "/admin/assistants/assistant/"
PROVIDERS, KEYS, GRANTS = (
    "/admin/assistants/provider/",
    "/admin/apikeys/apikey/",
    "/admin/connector/oauthgrant/",
)
EMPTY: dict[str, dict[str, Any]] = {
    SERVERS: {
        "name": "Time",
        "connection_type": "stdio",
        "command": "python",
        "args": [],
        "env": {},
        "headers": {},
        "start_timeout_s": 30,
        "call_timeout_s": 60,
        "approval": "auto",
        "replicas": 1,
        "is_enabled": "on",
    },
    ASSISTANTS: {
        "name": "Helper",
        "slug": "helper",
        "parameters": "{}",
        "initial-parameters": "{}",
        "max_rounds": 10,
        "selection": "all",
        "top_k": 10,
        "rendering": "none",
        "is_enabled": "on",
    },
    PROVIDERS: {"name": "LLM", "kind": "openai", "base_url": "", "api_key": "", "default_model": "m"},
    KEYS: {"name": "alice", "can_call_assistant": "on", "expires_at_0": "", "expires_at_1": ""},
    GRANTS: {"flow": "login"},
}


def send(client: Client, page: str, row: Any = None, **fields: Any) -> HttpResponse:
    """Adds a row, or changes `row`. Objects are sent as JSON, those of a server as rows of name and value."""
    form = {**EMPTY[page], **fields}
    if page == SERVERS:
        sent = {key: each for name, value in form.items() for key, each in _typed(name, value).items()}
    else:
        sent = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in form.items()}
    return client.post(f"{page}add/" if row is None else f"{page}{row.pk}/change/", sent)


def _typed(name: str, value: Any) -> dict[str, Any]:
    """One field of a server, as its form sends it."""
    if name == "args" and isinstance(value, list):
        return {name: "\n".join(map(json.dumps, value))}
    if isinstance(value, dict):
        return {f"{name}-name": list(value), f"{name}-value": list(value.values())}
    return {name: value}


def errors_of(response: Any) -> dict[str, list[str]]:
    """The errors that a page shows, by field; those of an inline's row by its field."""
    assert response.status_code == 200, response.content
    errors = dict(response.context["adminform"].form.errors)
    for inline in response.context["inline_admin_formsets"]:
        for row in inline.formset.errors:
            errors |= row
        if inline.formset.non_form_errors():
            errors[inline.formset.prefix] = list(inline.formset.non_form_errors())
    return {name: list(messages) for name, messages in errors.items()}


def choose_tools(client: Client, assistant: Any, *uses: dict[str, Any], **fields: Any) -> HttpResponse:
    """Saves the tab Tools. Each use: {server, functions, pinned}."""
    form = {"uses": json.dumps(uses), **fields}
    return client.post(f"{ASSISTANTS}{assistant.pk}/tools/", form)


def messages_of(response: Any) -> str:
    """The messages of the page to which a response redirects."""
    return " ".join(str(message) for message in response.context["messages"])
