"""What is over is deleted: expired state at its time, runs and the audit log after their retention."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apikeys import actions as key_actions
from apikeys.models import ApiKey, AuditEntry, EventType, OutboxEvent
from apikeys.outbox import announce
from assistants import actions
from assistants.models import (
    Approval,
    Assistant,
    Attempt,
    Conversation,
    Delivery,
    HiddenRounds,
    Provider,
    ResponseEvents,
    Run,
    RunCancellation,
    StoredResponse,
    ToolCall,
    Webhook,
)
from assistants.tasks import delete_expired
from core import pruning
from core.actor import Actor
from tests.assistants.api.conftest import Client as ApiClient
from tools import actions as tool_actions
from tools.models import MCPTool
from tools.secrets import encryption

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
DAY = timedelta(days=1)


@pytest.fixture
def key() -> ApiKey:
    return key_actions.issue(by=BY, name="caller").api_key


@pytest.fixture
def lost_encryption_key(settings: Any) -> Any:
    """Call it, and nothing that was stored before can be decrypted."""

    def lose() -> None:
        settings.SECRET_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        encryption._fernet.cache_clear()

    yield lose
    encryption._fernet.cache_clear()


def respond(key: ApiKey, name: str, expires_at: datetime) -> None:
    response = StoredResponse.objects.create(
        response_id=name, api_key=key, status="completed", expires_at=expires_at, input=["secret"], body={}
    )
    ResponseEvents.objects.create(response=response, first_number=0, events=[{"text": "secret"}])


def expiring(key: ApiKey, at: datetime) -> None:
    respond(key, f"resp {at}", at)
    helper = actions.create(by=BY, name=f"Helper {at}", slug=f"helper-{at.microsecond}")
    HiddenRounds.objects.create(
        api_key=key, assistant=helper, call_id="c", messages=["secret"], expires_at=at
    )
    owner, now = "00000000-0000-0000-0000-000000000001", timezone.now()
    attempt = {"body_hash": "h", "owner": owner, "seen_at": now, "answer": ["secret"]}
    Attempt.objects.create(api_key=key, name=str(at), expires_at=at, **attempt)
    RunCancellation.objects.create(run_id=str(at), expires_at=at)


def test_expired_rows_are_deleted_without_being_decrypted(key: ApiKey, lost_encryption_key: Any) -> None:
    expiring(key, timezone.now() - DAY)
    expiring(key, timezone.now() + DAY)
    lost_encryption_key()
    with CaptureQueriesContext(connection) as captured:
        delete_expired()
    for model in (StoredResponse, HiddenRounds, Attempt, RunCancellation, ResponseEvents):
        assert model._default_manager.count() == 1, model
    selected = [query["sql"].partition(" FROM ")[0] for query in captured if "SELECT" in query["sql"]]
    assert not [each for each in selected if re.search(r'"(input|body|answer|events|messages)"', each)]


def test_many_rows_go_in_batches(key: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    for number in range(5):
        respond(key, f"resp_{number}", timezone.now() - DAY)
    assert pruning.delete(StoredResponse.objects.all()) == 5
    assert not ResponseEvents.objects.exists()
    monkeypatch.setattr(pruning, "MOST_BATCHES", 1)
    for number in range(5):
        respond(key, f"resp_{number}", timezone.now() - DAY)
    assert pruning.delete(StoredResponse.objects.all()) == 2
    assert list(StoredResponse.objects.values_list("response_id", flat=True)) == [
        "resp_2",
        "resp_3",
        "resp_4",
    ]


def test_a_deleted_server_goes_though_its_secrets_cannot_be_read(lost_encryption_key: Any) -> None:
    server = tool_actions.register(
        by=BY, name="Old", connection_type="stdio", command="python", env={"A": "1"}
    )
    tool_actions.delete(server, by=BY)
    lost_encryption_key()
    tool_actions.purge(MCPTool.objects.all())
    assert not MCPTool.objects.exists()


def run(name: str, at: datetime, *, status: str = "completed", **fields: Any) -> None:
    row = Run.objects.create(run_id=name, started_at=at, status=status, **fields)
    ToolCall.objects.create(run=row, position=0, server="Time", function="now", status="ok")


@pytest.fixture
def runs(key: ApiKey) -> None:
    now = timezone.now()
    sessions = [
        Conversation.objects.create(
            api_key=key, external_id=name, created_at=now, last_run_at=now - age * DAY, messages=messages
        )
        for name, age, messages in (("old", 40, None), ("kept", 40, [{}]), ("recent", 20, None))
    ]
    run("old", now - 40 * DAY, conversation=sessions[0])
    run("old running", now - 40 * DAY, status="running")
    run("recent", now - 20 * DAY, conversation=sessions[2])
    AuditEntry.objects.all().delete()
    for age in (40, 20):
        entry = AuditEntry.objects.create(object_id=age, actor_name="a", action="b", object_kind="c")
        AuditEntry.objects.filter(pk=entry.pk).update(at=now - age * DAY)


@pytest.mark.usefixtures("runs")
def test_runs_go_after_their_retention_with_calls_and_empty_sessions(settings: Any) -> None:
    settings.RUN_RETENTION_DAYS, settings.AUDIT_RETENTION_DAYS = 30, 0
    actions.delete_old()
    assert {row.run_id for row in Run.objects.all()} == {"old running", "recent"}
    assert {row.run.run_id for row in ToolCall.objects.all()} == {"old running", "recent"}
    assert {row.external_id for row in Conversation.objects.all()} == {"kept", "recent"}
    assert AuditEntry.objects.count() == 2


@pytest.mark.usefixtures("runs")
def test_audit_entries_go_after_their_retention(settings: Any) -> None:
    settings.RUN_RETENTION_DAYS, settings.AUDIT_RETENTION_DAYS = 0, 30
    actions.delete_old()
    assert [entry.object_id for entry in AuditEntry.objects.all()] == [20]
    assert (Run.objects.count(), Conversation.objects.count()) == (3, 3)


@pytest.mark.usefixtures("runs")
def test_by_default_a_month_is_not_too_old() -> None:
    actions.delete_old()
    assert (Run.objects.count(), AuditEntry.objects.count()) == (3, 2)


def test_ended_sessions_of_staff_are_deleted(admin_client: Client) -> None:
    assert Session.objects.count() == 1
    delete_expired()
    assert Session.objects.count() == 1
    Session.objects.update(expire_date=timezone.now() - DAY)
    delete_expired()
    assert not Session.objects.exists()


@pytest.fixture
def fallback() -> Provider:
    return actions.add_provider(by=BY, name="Fallback", default_model="m")


@pytest.fixture
def api() -> ApiClient:
    return ApiClient(key_actions.issue(by=BY, name="manager", can_manage=True).key)


def test_a_fallback_is_in_use(api: ApiClient, admin_client: Client, fallback: Provider) -> None:
    helper = actions.create(by=BY, name="Helper", fallback_provider=fallback, fallback_model="n")
    status, error = api.refused("delete", f"providers/{fallback.pk}")
    assert (status, error["type"]) == (409, "in_use")
    assert "helper" in error["message"]
    page = f"/admin/assistants/provider/{fallback.pk}/delete/"
    assert "Helper" in admin_client.post(page, {"post": "yes"}).content.decode()
    assert Assistant.objects.get().fallback_provider == fallback
    assert api.delete(f"/api/v1/providers/{fallback.pk}?force=true").status_code == 204
    helper.refresh_from_db()
    assert (helper.fallback_provider, helper.version) == (None, 2)


def test_what_is_both_is_taken_away_from_both(api: ApiClient, fallback: Provider) -> None:
    other = actions.add_provider(by=BY, name="Other", default_model="m")
    both = actions.create(by=BY, name="Both", provider=fallback, fallback_provider=fallback)
    one = actions.create(by=BY, name="One", provider=other, fallback_provider=fallback)
    assert api.delete(f"/api/v1/providers/{fallback.pk}?force=true").status_code == 204
    both.refresh_from_db()
    one.refresh_from_db()
    assert (both.provider, both.fallback_provider) == (None, None)
    assert (one.provider, one.fallback_provider) == (other, None)


@pytest.mark.parametrize(
    ("model", "column"),
    [
        (Attempt, "owner"),
        (Conversation, "messages_expire_at"),
        (Run, "started_at"),
        (AuditEntry, "at"),
        (StoredResponse, "expires_at"),
    ],
)
def test_what_periodic_tasks_filter_by_is_indexed(model: Any, column: str) -> None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)
    assert any(each["index"] and each["columns"][:1] == [column] for each in found.values())


def test_events_of_webhooks_go_with_their_deliveries_after_their_retention(settings: Any) -> None:
    Webhook.objects.create(name="pager", url="https://1.1.1.1/x", events=["server.up"])
    announce(EventType.SERVER_UP, id=1)
    announce(EventType.SERVER_UP, id=2)
    OutboxEvent.objects.filter(data__id=1).update(created_at=timezone.now() - 31 * DAY)
    delete_expired()
    assert Delivery.objects.get().event.data == {"id": 2}
    settings.WEBHOOK_RETENTION_DAYS = 0
    OutboxEvent.objects.update(created_at=timezone.now() - 9_000 * DAY)
    delete_expired()
    assert Delivery.objects.count() == 1


def test_texts_go_before_their_runs(settings: Any) -> None:
    settings.BODY_RETENTION_DAYS = 30
    for name, age, status in (("old", 31, "completed"), ("runs", 31, "running"), ("recent", 29, "completed")):
        at = timezone.now() - age * DAY
        run(name, at, status=status, request="asked", answer="answered")
        call = ToolCall.objects.filter(run__run_id=name)
        call.update(started_at=at, arguments={"a": 1}, result="result")
    delete_expired()
    texts = Run.objects.order_by("pk").values_list("request", "answer")
    assert list(texts) == [(None, None), ("asked", "answered"), ("asked", "answered")]
    of_calls = ToolCall.objects.order_by("run_id").values_list("arguments", "result")
    assert list(of_calls) == [(None, None), (None, None), ({"a": 1}, "result")]


def test_texts_stay_as_long_as_their_runs_unless_a_setting_says_so() -> None:
    run("old", timezone.now() - 300 * DAY, request="asked")
    delete_expired()
    assert Run.objects.get().request == "asked"


@pytest.mark.parametrize(("model", "name"), [(Run, "run_bodies"), (ToolCall, "toolcall_bodies")])
def test_texts_are_found_by_an_index(model: Any, name: str) -> None:
    rows = model.objects.filter(~Q(**dict.fromkeys(model.BODIES)), started_at__lt=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert name in rows.order_by("started_at").explain()


def test_decided_calls_go_by_a_time_of_their_own(settings: Any) -> None:
    settings.RUN_RETENTION_DAYS, settings.APPROVAL_RETENTION_DAYS = 0, 30
    for state, age in (("rejected", 31), ("waiting", 31), ("rejected", 29)):
        Approval.objects.create(
            state=state, owner="1", arguments={}, generation=1, server="Time", function="now",
            created_at=timezone.now() - age * DAY, expires_at=timezone.now() + DAY,
        )  # fmt: skip
    actions.delete_old()
    assert list(Approval.objects.order_by("pk").values_list("state", flat=True)) == ["waiting", "rejected"]


def test_a_task_deletes_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    monkeypatch.setattr(pruning, "MOST_S", 0.0)
    for number in range(5):
        run(f"run {number}", timezone.now() - 400 * DAY)
    delete_expired()
    assert Run.objects.count() == 3


def test_a_column_that_was_emptied_is_not_emptied_again(key: ApiKey) -> None:
    now = timezone.now()
    Conversation.objects.create(
        api_key=key, created_at=now, last_run_at=now, messages=[{}], messages_expire_at=now - DAY
    )
    over = Conversation.objects.filter(messages_expire_at__lte=now)
    assert pruning.empty(over, ("messages", "messages_expire_at")) == 1
    assert pruning.empty(over, ("messages", "messages_expire_at")) == 0
    assert Conversation.objects.get().messages is None
