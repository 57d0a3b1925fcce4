"""The page of the audit log."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from apikeys import actions
from apikeys.models import ApiKey, AuditEntry
from core.actor import Actor
from tests.console.pages import KEYS
from tests.console.people import client_of

pytestmark = pytest.mark.django_db
LOG = "/admin/apikeys/auditentry/"
CAROL = Actor("staff", "Carol", 7, request_id="req_1", address="192.0.2.1")


def listed(client: Client, **filters: str) -> list[str]:
    page = client.get(LOG, filters)
    assert page.status_code == 200, filters
    return [f"{entry.action} {entry.object_name}" for entry in page.context["cl"].result_list]


@pytest.fixture
def entries(db: None) -> None:
    alice = actions.issue(by=CAROL, name="alice").api_key
    actions.update(alice, by=CAROL, name="bob", requests_per_minute=5)
    actions.issue(by=Actor.system("command"), name="dave")


@pytest.mark.usefixtures("entries")
def test_the_list_says_when_who_what_and_on_what(admin_client: Client) -> None:
    page = admin_client.get(LOG).content.decode()
    assert re.search(r'<time datetime="[^"]+" title="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC">', page)
    assert "Carol" in page
    assert "192.0.2.1" in page
    bob = AuditEntry.objects.filter(object_name="bob").first()
    assert bob
    assert f'href="{KEYS}{bob.object_id}/change/"' in page
    assert "name, requests_per_minute" in page


@pytest.mark.usefixtures("entries")
def test_it_is_filtered_by_time_actor_action_and_kind(admin_client: Client) -> None:
    assert len(listed(admin_client)) == 3
    assert listed(admin_client, action="updated") == ["updated bob"]
    assert len(listed(admin_client, actor_name__icontains="caro")) == 2
    assert listed(admin_client, actor_kind="system") == ["created dave"]
    assert len(listed(admin_client, kind="API key")) == 3
    assert listed(admin_client, kind="assistant") == []
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    assert listed(admin_client, at_from_0=str(tomorrow)) == []
    assert listed(admin_client, at_from_0=str(tomorrow), at_from_1="00:00:00") == []
    assert len(listed(admin_client, at_to_0=str(tomorrow))) == 3
    for nonsense in ("x", "2026-99-99", "9999-12-31"):
        assert len(listed(admin_client, at_to_0=nonsense)) == 3


@pytest.mark.usefixtures("entries")
def test_history_of_an_object_is_its_entries(admin_client: Client) -> None:
    bob = ApiKey.objects.get(name="bob")
    history = f"{KEYS}{bob.pk}/history/"
    assert history in admin_client.get(f"{KEYS}{bob.pk}/change/").content.decode()
    page = admin_client.get(history, follow=True)
    assert [entry.action for entry in page.context["cl"].result_list] == ["updated", "created"]
    assert ">bob</option>" in page.content.decode()
    for nonsense in ("x", ":", "API key:", "API key:9" + 20 * "9", "API key:\u00b2"):
        assert listed(admin_client, object=nonsense) == []


@pytest.mark.usefixtures("entries")
def test_who_may_not_read_the_audit_log_sees_no_history() -> None:
    page = client_of("operator").get(f"{KEYS}{ApiKey.objects.get(name='bob').pk}/change/")
    assert page.status_code == 200
    assert "/history/" not in page.content.decode()


@pytest.mark.usefixtures("entries")
def test_an_entry_shows_before_and_after_side_by_side(admin_client: Client) -> None:
    entry = AuditEntry.objects.get(action="updated")
    page = admin_client.get(f"{LOG}{entry.pk}/change/").content.decode()
    assert "<del>alice</del>" in page
    assert "<ins>bob</ins>" in page
    assert "<ins>5</ins>" in page


def test_of_a_long_text_the_changed_lines_are_marked_and_the_rest_is_cut(admin_client: Client) -> None:
    lines = [f"line {number}" for number in range(50)]
    before = {"prompt": "\n".join(lines), "long": "x" * 2_000_000}
    after = {"prompt": "\n".join([*lines[:20], "<b>new</b>", *lines[21:]]), "long": "y" * 2_000_000}
    entry = AuditEntry.objects.create(
        action="updated", object_kind="assistant", object_id=1, actor_name="x", before=before, after=after
    )
    page = admin_client.get(f"{LOG}{entry.pk}/change/").content.decode()
    assert "<del>line 20</del>" in page
    assert "<ins>&lt;b&gt;new&lt;/b&gt;</ins>" in page
    assert len(page) < 200_000
    assert len(admin_client.get(LOG).content) < 200_000


@pytest.mark.parametrize(
    ("group", "status"), [("auditor", 200), ("manager", 200), ("viewer", 403), ("operator", 403)]
)
@pytest.mark.usefixtures("entries")
def test_only_who_may_reads_it(client: Client, group: str, status: int) -> None:
    user = User.objects.create_user("u", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client.force_login(user)
    entry = AuditEntry.objects.first()
    assert entry
    for page in (LOG, f"{LOG}{entry.pk}/change/"):
        assert client.get(page).status_code == status
    assert (LOG in client.get("/admin/").content.decode()) is (status == 200)
