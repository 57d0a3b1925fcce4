"""A walk over every page of the console with the rights of every group.

Pages are found in the site's URLs, links on the pages themselves: what is new is walked, too.
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, User
from django.db import models
from django.http import HttpRequest
from django.test import Client, RequestFactory

from apikeys.models import AuditEntry
from tests.console.people import GROUPS, member
from tests.console.site import Page, Rows, pages
from tests.console.world import fill

pytestmark = pytest.mark.django_db
FOR_ALL = {"index", "login", "logout", "password_change", "password_change_done", "search", "app_list"}
"""Pages for everybody who is logged in, or wants to be."""
RIGHTS = {"changelist": "view", "add": "add", "change": "change", "delete": "delete", "history": "view"}
LINK = re.compile(r'(?:href|hx-get|action)="(/admin/[^"#]*)')


@pytest.fixture
def rows(db: None) -> Rows:
    made: Rows = dict(fill())
    made[User] = User.objects.create_user("somebody")
    made[Group] = Group.objects.get(name="viewer")
    made[AuditEntry] = AuditEntry.objects.latest("pk")
    return made


@pytest.fixture(params=[*GROUPS, None])
def person(request: pytest.FixtureRequest, rows: Rows) -> User:
    return member(request.param)


@pytest.fixture
def browser(person: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(person)
    return client


def may(person: User, page: Page) -> bool | None:
    """Whether somebody may see a page by their permissions; None if those are the page's own matter."""
    if page.name in FOR_ALL:
        return True
    if page.view is not None and hasattr(page.view, "permission_required"):
        required = page.view.permission_required
        return person.has_perms([required] if isinstance(required, str) else required) if required else None
    right = RIGHTS.get(page.name.rpartition("_")[2])
    if (
        page.model is None
        or right is None
        or page.name != f"{label(page.model)}_{page.name.rpartition('_')[2]}"
    ):
        return None
    return allows(person, page.model, right)


def label(model: type[models.Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def allows(person: User, model: type[models.Model], right: str) -> bool:
    """Asks the model's admin, which knows whether its rows are read-only, and the permission besides."""
    page = admin.site._registry[model]
    request: Any = RequestFactory().get("/")
    request.user = person
    checks = ("view", "change") if right == "change" else (right,)
    held = any(
        person.has_perm(f"{model._meta.app_label}.{check}_{model._meta.model_name}") for check in checks
    )
    method = "has_view_or_change_permission" if right in ("view", "change") else f"has_{right}_permission"
    return held and bool(getattr(page, method)(request))


def test_pages_are_found(rows: Rows) -> None:
    addresses = {page.address for page in pages(rows)}
    assert {"/admin/", "/admin/tools/mcptool/", "/admin/tools/mcptool/add/"} <= addresses
    assert f"/admin/keys/{rows_pk(rows, 'apikey')}/access/" in addresses
    assert len(addresses) > 50
    without_rows = {model for model in admin.site._registry if model not in rows}
    assert {model.__name__ for model in without_rows} <= {"OAuthGrant"}


def rows_pk(rows: Rows, name: str) -> Any:
    return next(row.pk for model, row in rows.items() if model._meta.model_name == name)


def test_who_may_see_a_page_sees_it_and_nobody_else(rows: Rows, person: User, browser: Client) -> None:
    wrong = []
    for page in pages(rows):
        if page.name == "logout":
            continue
        status = browser.get(page.address).status_code
        expected = may(person, page)
        fine = status < 500 if expected is None else status in ((200, 302, 304, 405) if expected else (403,))
        if not fine:
            wrong.append((page.address, page.name, status, expected))
    assert wrong == []


def test_visitors_see_the_login_alone(rows: Rows) -> None:
    browser = Client()
    wrong = []
    for page in pages(rows):
        for response in (browser.get(page.address), browser.post(page.address)):
            to_login = response.status_code == 302 and response.headers["Location"].startswith(
                "/admin/login/"
            )
            if not to_login and page.name not in {"login", "logout"}:
                wrong.append((page.address, response.status_code))
    assert wrong == []


def test_who_may_change_nothing_changes_nothing_by_a_forged_post(
    rows: Rows, person: User, browser: Client
) -> None:
    if person.username not in {"viewer", "auditor", "nobody"}:
        return
    before = state(rows)
    wrong = []
    for page in pages(rows):
        if page.name in FOR_ALL:
            continue
        for form in ({}, {"post": "yes", "name": "forged", "_save": "1"}):
            status = browser.post(page.address, form).status_code
            is_form = page.name.endswith(("_add", "_delete", "_rotate", "_password_change"))
            if status >= 500 or (is_form and status != 403):
                wrong.append((page.address, status))
    assert wrong == []
    assert state(rows) == before


def test_who_may_change_nothing_does_no_action(rows: Rows, person: User, browser: Client) -> None:
    if person.username not in {"viewer", "auditor", "nobody"}:
        return
    before = state(rows)
    for model, page, action in actions():
        form = {"action": action, ACTION_CHECKBOX_NAME: rows[model].pk, "post": "yes", "index": 0}
        status = browser.post(f"/admin/{model._meta.app_label}/{model._meta.model_name}/", form).status_code
        assert status < 500, (page, action)
    assert state(rows) == before


def actions() -> Iterator[tuple[type[models.Model], str, str]]:
    request = HttpRequest()
    request.user = User(is_superuser=True, is_active=True, is_staff=True)
    request.GET = request.GET.copy()
    for model, page in admin.site._registry.items():
        if model._meta.model_name != "oauthgrant":
            for name in page.get_actions(request):
                yield model, str(page), name


def state(rows: Rows) -> Any:
    """What forged posts must not change: the rows themselves, and the audit log."""
    stored = [
        list(model._base_manager.filter(pk=row.pk).defer(*_changing(model)).values())
        for model, row in rows.items()
        if model is not User
    ]
    return repr(stored), AuditEntry.objects.count(), User.objects.count(), Group.objects.count()


def _changing(model: type[models.Model]) -> list[str]:
    return [field.name for field in model._meta.concrete_fields if "embedding" in field.name]


def test_no_page_offers_a_link_that_is_refused(rows: Rows, person: User, browser: Client) -> None:
    """Neither a 403 nor a dead link: whoever may not, sees no button."""
    visited: dict[str, int] = {}
    wrong = []
    for page in pages(rows):
        if page.name in {"logout", "login"}:
            continue
        response = browser.get(page.address)
        if response.status_code != 200 or not response.headers["Content-Type"].startswith("text/html"):
            continue
        for link in set(map(unescape, LINK.findall(response.content.decode()))):
            bare = link.partition("?")[0]
            if bare.startswith(("/admin/logout", "/admin/login")):
                continue
            if bare not in visited:
                visited[bare] = browser.get(link).status_code
            if visited[bare] in (403, 404) or visited[bare] >= 500:
                wrong.append((page.address, link, visited[bare]))
    assert sorted(set(wrong)) == []
