"""Who may not manage starts no process and rewrites nothing: every route, as everybody with few rights."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.template.response import SimpleTemplateResponse
from django.test import Client

from apikeys import actions as key_actions
from apikeys.models import ApiKey, AuditEntry
from assistants.models import Approval, Assistant, Provider, Rule, Webhook
from connector.errors import CallFailed
from connector.models import OAuthGrant
from core.message import Message
from tests.advisories.routes import Route, management
from tests.console.pages import EMPTY, SERVERS
from tests.console.people import client_of, member
from tests.console.site import Rows, pages
from tests.console.world import fill
from tests.stack import BY
from tools.models import MCPTool, ToolFunction

CONFIGURATION = [
    MCPTool,
    ToolFunction,
    Assistant,
    Provider,
    Rule,
    Webhook,
    ApiKey,
    OAuthGrant,
    User,
    Group,
    Approval,
]
OF_EVERY_KEY = {Route("get", "/api/v1/me")}
OF_EVERYBODY = {"login", "logout", "password_change", "password_change_done"}
CANARY = {"name": "canary", "slug": "canary", "post": "yes", "do": "restart"}
OF_APPROVERS = "/api/v1/approvals"


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves pages unrendered, which takes most of the time: what is saved and started is before that."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")


@pytest.fixture
def rows(db: None) -> Rows:
    made: Rows = dict(fill())
    made[User] = User.objects.create_user("somebody")
    made[Group] = Group.objects.get(name="viewer")
    made[AuditEntry] = AuditEntry.objects.latest("pk")
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What asked a worker, or sent it a message: whatever starts a process does, or changes a row."""
    asked: list[str] = []

    async def ask(*_: Any, **__: Any) -> Any:
        asked.append("a worker")
        raise CallFailed("server_unavailable", Message("There is no worker."))

    for name in ("workers.alive", "workers.ask", "requests.send"):
        monkeypatch.setattr(f"connector.client.{name}", ask)
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda *_, **__: asked.append("a message"))
    return asked


def stored() -> dict[str, list[Any]]:
    return {
        model.__name__: list(model.objects.order_by("pk").values())  # type: ignore[attr-defined]
        for model in CONFIGURATION
    }


def header_of(kind: str) -> dict[str, str]:
    key = key_actions.issue(by=BY, name=kind, can_approve=kind == "approver").key
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("kind", ["nobody", "caller", "approver", "somebody's browser"])
def test_command_started_before_or_without_admin_right_by_the_api(
    rows: Rows, asked: list[str], admin_user: User, kind: str
) -> None:
    """Bifrost 90898 and 86242, MCPHub 79748 and 94047, LibreChat 22252; MCPHub 79744, LiteLLM 35029.

    A refusal comes before anything is read: neither the body nor whether there is such a row matters. A
    browser that is logged in to the console is nobody here, else other sites could use its cookies.
    """
    is_key = kind in {"caller", "approver"}
    client = Client(headers=header_of(kind) if is_key else {})
    if kind == "somebody's browser":
        client.force_login(admin_user)
    before = stored()
    routes = management(rows)
    assert len(routes) > 60
    wrong = []
    for route in routes:
        if is_key and route in OF_EVERY_KEY:
            continue
        if kind == "approver" and route.path.startswith(OF_APPROVERS):
            continue
        status = client.generic(route.method.upper(), route.path, b"{", "application/json").status_code
        if status != (403 if is_key else 401):
            wrong.append(f"{route.method} {route.path}: {status}")
    assert wrong == []
    assert asked == []
    assert stored() == before


@pytest.mark.parametrize("group", [None, "viewer", "auditor", "not staff", "nobody"])
def test_any_user_rewrites_global_configuration_in_the_console(
    rows: Rows, asked: list[str], group: str | None
) -> None:
    """As above. Each page and action gets a form that would be saved, if this person might save it."""
    client = Client()
    if group == "not staff":
        client.force_login(User.objects.create_user("customer"))
    elif group != "nobody":
        client.force_login(member(group))
    before = stored()
    sent = [client.post(address, form).status_code for address, form in forms(rows)]
    assert len(sent) > 60
    assert sum(status in {302, 403} for status in sent) > 30
    assert asked == []
    assert stored() == before


@pytest.mark.django_db(transaction=True)
def test_a_manager_changes_what_others_could_not(rows: Rows, asked: list[str]) -> None:
    """Of the sweep itself: what it sends is saved, and asks workers, for whom may do that."""
    client = client_of("manager")
    client.raise_request_exception = False
    before = stored()
    for address, form in forms(rows):
        client.post(address, form)
    after = stored()
    assert {name for name in after if after[name] == before[name]} <= {"OAuthGrant"}
    assert {"a worker", "a message"} <= set(asked)


def forms(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields what is sent to every page and action of lists; deletions last: the others need their rows."""
    found = [page for page in pages(rows) if page.name not in OF_EVERYBODY]
    for page in sorted(found, key=lambda page: page.address.endswith("/delete/")):
        folder = SERVERS if page.name.startswith("server_test") else page.address.removesuffix("add/")
        yield page.address, {**EMPTY.get(folder, {}), **CANARY}
        if page.model is not None and page.name.endswith("_changelist"):
            for action in admin.site.get_model_admin(page.model).actions:
                name = action if isinstance(action, str) else action.__name__
                yield page.address, {"action": name, "_selected_action": rows[page.model].pk, "post": "yes"}
