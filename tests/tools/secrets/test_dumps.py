"""dumpdata and loaddata: a dump holds secrets encrypted, and restores every row as it was."""

from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db.models import Model
from django.utils import timezone

from apikeys import actions as key_actions
from assistants import actions
from assistants.models import (
    Approval,
    Attempt,
    Conversation,
    HeldAnswer,
    HiddenRounds,
    Provider,
    ResponseEvents,
    StoredResponse,
)
from connector import grants
from connector.models import OAuthGrant
from core.actor import Actor
from tools import actions as tool_actions
from tools.functions import catalogue
from tools.models import MCPTool
from tools.secrets.encryption import EncryptedJSONField, encrypt

pytestmark = pytest.mark.django_db(transaction=True)
BY = Actor.system("tests")
APPS = ["apikeys", "tools", "connector", "assistants"]
CANARY = "canary-9Kd4"


@pytest.fixture
def scene(transactional_db: None) -> None:
    """A row of every model with secrets, with every JSON type among them."""
    secrets = {
        "args": ["--token", CANARY],
        "env": {"TOKEN": CANARY, "EMPTY": "", "ODD": '\u00fc\u2028\\ \n<&"'},
        "url": f"https://mcp.example.org/mcp?token={CANARY}",
        "headers": {"X-Token": CANARY},
    }
    server = tool_actions.register(by=BY, name="Far", connection_type="sse", **secrets)
    tool_actions.register(by=BY, name="Plain", connection_type="stdio", command="python")
    catalogue.record(server.pk, [{"name": "now", "inputSchema": {"type": "object"}}])
    grants.connect(server=server, by=BY, client_id="us", client_secret=CANARY)
    OAuthGrant.objects.update(kept={"url": server.url, "tokens": {"access_token": CANARY}})
    provider = actions.add_provider(by=BY, name="LLM", api_key=CANARY, default_model="m")
    key = key_actions.issue(by=BY, name="caller").api_key
    helper = actions.create(by=BY, name="Helper", tools=[server], provider=provider, api_keys=[key])
    MCPTool.objects.filter(pk=server.pk).update(embedding=[0.25, -1.5], embedder="e")
    now = timezone.now()
    Conversation.objects.create(
        api_key=key, external_id="s", created_at=now, last_run_at=now, messages=[{"content": CANARY}]
    )
    expiring = {"api_key": key, "expires_at": now}
    HiddenRounds.objects.create(assistant=helper, call_id="c", messages=[{"content": CANARY}], **expiring)
    owner = "00000000-0000-0000-0000-000000000001"
    Attempt.objects.create(name="n", body_hash="h", owner=owner, seen_at=now, answer=None, **expiring)
    response = StoredResponse.objects.create(
        response_id="resp_1", status="completed", input=[CANARY], body={"output": CANARY}, **expiring
    )
    ResponseEvents.objects.create(response=response, first_number=0, events=[{"text": CANARY}])
    Approval.objects.create(
        owner="1", server="Far", function="now", generation=1, arguments={"to": CANARY}, expires_at=now
    )
    HeldAnswer.objects.create(
        owner="1", assistant=helper, transcript="d", messages=[{"content": CANARY}], expires_at=now
    )
    actions.add_webhook(
        by=BY, name="pager", url=f"https://hooks.example.org/?token={CANARY}", events=["server.down"]
    )


def rows() -> dict[str, list[dict[str, str]]]:
    """Every row of every model, by the model's name. A dump cuts times to milliseconds."""
    found = {}
    for app in APPS:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            stored = model._default_manager.order_by("pk").values()
            found[model.__name__] = [
                {name: _text(value) for name, value in row.items() if name not in _left_out(model)}
                for row in stored
            ]
    return found


def _left_out(model: type[Model]) -> set[str]:
    return {"id"} if model._meta.auto_created else set()  # relations are dumped with their rows, without ids


def _text(value: object) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


def dump(form: str) -> str:
    out = StringIO()
    call_command("dumpdata", *APPS, format=form, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize("form", ["json", "jsonl", "xml"])
def test_a_dump_holds_no_secret_and_restores_every_row(tmp_path: Path, form: str) -> None:
    before, dumped = rows(), dump(form)
    assert CANARY not in dumped
    assert all(
        before[name] for name in ("MCPTool", "OAuthGrant", "Provider", "StoredResponse", "HiddenRounds")
    )
    call_command("flush", interactive=False, verbosity=0)
    file = tmp_path / f"dump.{form}"
    file.write_text(dumped)
    call_command("loaddata", str(file), verbosity=0)
    after = rows()
    after["StateChange"] = before["StateChange"]  # the database itself notes that servers appear
    assert after == before


@pytest.mark.usefixtures("scene")
def test_loading_a_dump_twice_encrypts_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    for _ in range(2):
        file.write_text(dump("json"))
        call_command("loaddata", str(file), verbosity=0)
    assert MCPTool.objects.get(name="Far").env["TOKEN"] == CANARY
    assert Provider.objects.get().api_key == CANARY


def test_a_token_that_somebody_enters_is_not_decrypted(db: None) -> None:
    """Else a person who has seen a dump could have the secret in it sent to an address of theirs."""
    token = encrypt(CANARY)
    provider = actions.add_provider(by=BY, name="LLM", api_key=token, default_model="m")
    provider.refresh_from_db()
    assert provider.api_key == token
    with pytest.raises(ValidationError):
        tool_actions.register(by=BY, name="Far", connection_type="sse", url=token)


@pytest.mark.usefixtures("scene")
def test_every_encrypted_field_is_in_the_scene() -> None:
    for model in apps.get_models():
        if any(isinstance(field, EncryptedJSONField) for field in model._meta.fields):
            assert model._default_manager.exists(), model
