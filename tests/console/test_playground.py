"""The page of the playground, and who may open it. tests/journeys/test_playground.py chats."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from assistants import actions
from assistants.models import Run
from tests.console.pages import BY
from tests.console.test_assistant_pages import member_of

pytestmark = pytest.mark.django_db
CHAT = "/admin/playground/chat"


def test_page_of_the_playground(admin_client: Client) -> None:
    assert "There is no assistant" in admin_client.get("/admin/playground/").content.decode()
    actions.create(by=BY, name="Helper </script>", slug="helper")
    off = actions.create(by=BY, name="Sleeper", is_enabled=False)
    page = admin_client.get("/admin/playground/", {"assistant": "helper"}).content.decode()
    assert '<option value="helper" selected>' in page
    assert "Sleeper" not in page
    tab = f"/admin/assistants/assistant/{off.pk}/playground/"
    assert "The assistant is off" in admin_client.get(tab).content.decode()


@pytest.mark.parametrize(
    ("group", "status"), [("viewer", 403), ("auditor", 403), ("operator", 200), ("manager", 200)]
)
def test_operators_and_managers_have_it(group: str, status: int) -> None:
    helper = actions.create(by=BY, name="Helper")
    client = member_of(group)
    assert client.get("/admin/playground/").status_code == status
    tab = f"/admin/assistants/assistant/{helper.pk}/playground/"
    assert client.get(tab).status_code == status
    other = client.get(f"/admin/assistants/assistant/{helper.pk}/connect/").content.decode()
    assert (tab in other) == (status == 200)


def test_the_chat_needs_a_csrf_token(admin_user: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin_user)
    assert browser.post(CHAT, {}, content_type="application/json").status_code == 403


def test_a_run_shows_who_chatted(admin_client: Client) -> None:
    run = Run.objects.create(run_id="run_1", status="completed", started_at=timezone.now(), username="anna")
    assert "anna" in admin_client.get("/admin/assistants/run/").content.decode()
    assert "anna" in admin_client.get(f"/admin/assistants/run/{run.pk}/change/").content.decode()
