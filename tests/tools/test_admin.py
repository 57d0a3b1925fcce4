from typing import Any

import pytest
from django.test import Client

from core.actor import Actor
from tools import actions
from tools.models import MCPTool

BY = Actor.system("tests")
pytestmark = pytest.mark.django_db

FORM: dict[str, Any] = {
    "name": "Time",
    "connection_type": "stdio",
    "command": "mcp-server-time",
    "args": "",
    "env-name": ["TOKEN"],
    "env-value": ["canary-5f1c"],
    "start_timeout_s": 30,
    "call_timeout_s": 60,
    "approval": "auto",
    "replicas": 1,
    "is_enabled": "on",
    "functions-TOTAL_FORMS": 0,
    "functions-INITIAL_FORMS": 0,
}


def test_staff_register_a_server(admin_client: Client) -> None:
    response = admin_client.post("/admin/tools/mcptool/add/", FORM)
    assert response.status_code == 302
    server = MCPTool.objects.get()
    assert (server.slug, server.env) == ("time", {"TOKEN": "canary-5f1c"})


def test_a_mistake_is_shown_beside_its_field(admin_client: Client) -> None:
    response = admin_client.post("/admin/tools/mcptool/add/", {**FORM, "command": ""})
    assert "Give the command that starts the server." in response.content.decode()
    assert not MCPTool.objects.exists()


def test_secrets_are_masked_and_a_mask_sent_back_changes_nothing(admin_client: Client) -> None:
    admin_client.post("/admin/tools/mcptool/add/", FORM)
    page = f"/admin/tools/mcptool/{MCPTool.objects.get().pk}/change/"
    assert "canary" not in admin_client.get(page).content.decode()
    admin_client.post(page, {**FORM, "env-name": ["TOKEN", "NEW"], "env-value": ["********", "1"]})
    server = MCPTool.objects.get()
    assert (server.env, server.generation) == ({"TOKEN": "canary-5f1c", "NEW": "1"}, 2)


@pytest.mark.parametrize(("action", "enabled"), [("stop", False), ("start", True), ("restart", True)])
def test_staff_start_stop_and_restart(admin_client: Client, action: str, enabled: bool) -> None:
    server = actions.register(
        by=BY, name="Time", connection_type="stdio", command="python", is_enabled=action != "start"
    )
    admin_client.post("/admin/tools/mcptool/", {"action": action, "_selected_action": [server.pk]})
    server.refresh_from_db()
    assert (server.is_enabled, server.generation) == (enabled, 2)


def test_staff_delete_a_server(admin_client: Client) -> None:
    server = actions.register(by=BY, name="Time", connection_type="stdio", command="python")
    admin_client.post(f"/admin/tools/mcptool/{server.pk}/delete/", {"post": "yes"})
    assert not MCPTool.objects.present().exists()
    assert MCPTool.objects.get().deleted_at is not None
