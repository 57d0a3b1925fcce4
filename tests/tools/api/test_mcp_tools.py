"""The management API of MCP servers, over real requests."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apikeys.models import AuditEntry
from assistants import actions as assistant_actions
from assistants.models import Assistant
from core.actor import Actor
from tests.tools.conftest import fields_of
from tools import actions
from tools.models import MCPTool

BY = Actor.system("tests")
URL = "/api/v1/mcp-tools"
STDIO: dict[str, Any] = {"name": "Time", "connection_type": "stdio", "command": "mcp-server-time"}
REMOTE: dict[str, Any] = {
    "name": "Remote",
    "connection_type": "streamable_http",
    "url": "https://93.184.216.34/mcp",
}
CANARY = "canary-5f1c"
SHAPE = {
    "id", "version", "name", "slug", "description", "connection_type", "command", "args", "env", "url",
    "headers", "is_enabled", "is_enriched", "asks_back", "replicas", "approval", "labels", "timeouts",
    "status",
    "error_message", "error", "function_count", "warnings", "last_healthy_at", "created_at", "updated_at",
}  # fmt: skip


def create(api: APIClient, **fields: Any) -> dict[str, Any]:
    response = api.post(URL, fields, format="json")
    assert response.status_code == 201, response.content
    return response.json()


def assistant_of(server: dict[str, Any], slug: str = "helper") -> Assistant:
    return assistant_actions.create(by=BY, name=slug, slug=slug, tools=[MCPTool.objects.get(pk=server["id"])])


def test_a_server_has_the_documented_shape(api: APIClient) -> None:
    created = create(api, **STDIO, args=["--local-timezone=UTC"], timeouts={"call_s": 5})
    assert created.keys() == SHAPE
    assert (created["slug"], created["is_enabled"], created["status"]) == ("time", True, "starting")
    assert (created["args"], created["timeouts"]) == (["--local-timezone=UTC"], {"start_s": 30, "call_s": 5})
    assert (created["function_count"], created["replicas"]) == (0, 1)
    assert "No MCP worker is running" in created["error_message"]
    assert api.get(f"{URL}/{created['id']}").json() == created


def test_a_server_is_found_by_id_and_by_slug(api: APIClient) -> None:
    created = create(api, **STDIO)
    assert api.get(f"{URL}/time").json()["id"] == created["id"]
    for unknown in ("my-server", "999999", "9" * 30, "%00", "~1", "..%2fx"):
        response = api.get(f"{URL}/{unknown}")
        assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found")


def test_a_server_of_each_transport_is_registered(api: APIClient) -> None:
    create(api, **REMOTE, headers={"Authorization": "Bearer x"})
    create(api, **{**REMOTE, "name": "Older", "connection_type": "sse"})
    create(api, **STDIO)
    listed = api.get(URL)
    assert [row["connection_type"] for row in listed.json()] == ["stdio", "sse", "streamable_http"]
    assert listed.headers["X-Total-Count"] == "3"


def test_lists_are_searched_and_filtered(api: APIClient) -> None:
    create(api, **STDIO, description="clocks")
    create(api, **REMOTE, is_enabled=False)

    def names(**query: str) -> list[str]:
        return [row["name"] for row in api.get(URL, query).json()]

    assert names(search="CLOCK") == names(connection_type="stdio") == names(is_enabled="true") == ["Time"]
    assert names(search="' OR 1=1 --") == []
    assert api.get(URL, {"status": "flying"}).status_code == 422


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "import"}, "slug"),
        ({"connection_type": "telepathy"}, "connection_type"),
        ({"command": "bash"}, "command"),
        ({"command": "/usr/bin/python3"}, "command"),
        ({"command": "python3 -c"}, "command"),
        ({"command": ""}, "command"),
        ({"args": "--flag"}, "args"),
        ({"args": ["x"] * 257}, "args"),
        ({"args": [["nested"]]}, "args"),
        ({"env": {"A": {"nested": 1}}}, "env"),
        ({"env": {"LD_PRELOAD": "/tmp/x.so"}}, "env"),
        ({"env": {"bad name": "1"}}, "env"),
        ({"replicas": 0}, "replicas"),
        ({"timeouts": {"start_s": 1e9}}, "timeouts"),
        ({"timeouts": {"start_s": "soon"}}, "timeouts"),
        ({"approval": "never"}, "approval"),
        ({"colour": "red"}, "colour"),
        ({"status": "running"}, "status"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    api: APIClient, changes: dict[str, Any], field: str
) -> None:
    body = {**STDIO, **changes}
    response = api.post(
        URL, {name: value for name, value in body.items() if value is not None}, format="json"
    )
    if field == "status":  # it is known, and cannot be set
        assert response.json()["status"] == "starting"
        return
    assert list(fields_of(response)) == [field]
    assert not MCPTool.objects.exists()
    assert not AuditEntry.objects.filter(object_kind="MCP server").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "http://127.0.0.1:6379/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": ""}, "url"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers"),
        ({"headers": {"Host": "internal"}}, "headers"),
        ({"headers": {"X A": "1"}}, "headers"),
    ],
)
def test_the_url_and_headers_of_a_remote_server_are_checked(
    api: APIClient, changes: dict[str, Any], field: str
) -> None:
    assert list(fields_of(api.post(URL, {**REMOTE, **changes}, format="json"))) == [field]
    assert not MCPTool.objects.exists()


def test_secrets_are_masked_and_a_mask_sent_back_changes_nothing(api: APIClient) -> None:
    created = create(
        api, **STDIO, env={"TOKEN": CANARY, "LEVEL": "debug"}, args=["--api-key", CANARY, "--verbose"]
    )
    assert created["env"] == {"TOKEN": "********", "LEVEL": "********"}
    assert created["args"] == ["--api-key", "********", "--verbose"]
    changed = api.patch(
        f"{URL}/time",
        {"env": {"TOKEN": "********", "NEW": "1"}, "args": ["-q", *created["args"]]},
        format="json",
    )
    assert changed.status_code == 200, changed.content
    server = MCPTool.objects.get()
    assert server.env == {"TOKEN": CANARY, "NEW": "1"}
    assert server.args == ["-q", "--api-key", CANARY, "--verbose"]
    assert CANARY not in changed.content.decode() + str(list(AuditEntry.objects.values()))


def test_a_secret_in_a_url_is_masked_and_stays_stored(api: APIClient) -> None:
    url = f"https://93.184.216.34/mcp?api_key={CANARY}&mode=fast"
    created = create(api, **{**REMOTE, "url": url}, headers={"X-Key": CANARY})
    assert created["url"] == "https://93.184.216.34/mcp?api_key=********&mode=fast"
    api.put(f"{URL}/remote", {"name": "Other", "url": created["url"]}, format="json")
    assert MCPTool.objects.get().url == url
    moved = api.patch(f"{URL}/remote", {"url": created["url"].replace("93.184", "93.185")}, format="json")
    assert list(fields_of(moved)) == ["url"]


def test_a_mask_without_a_stored_value_is_refused(api: APIClient) -> None:
    assert list(fields_of(api.post(URL, {**STDIO, "env": {"A": "********"}}, format="json"))) == ["env"]
    response = api.post(URL, {**STDIO, "args": ["--token=********"]}, format="json")
    assert list(fields_of(response)) == ["args"]


def test_a_whole_answer_can_be_sent_back(api: APIClient) -> None:
    created = create(api, **STDIO, env={"TOKEN": CANARY})
    response = api.put(f"{URL}/time", created, format="json")
    assert response.status_code == 200, response.content
    assert {**response.json(), "version": 0, "updated_at": ""} == {**created, "version": 0, "updated_at": ""}
    assert MCPTool.objects.get().env == {"TOKEN": CANARY}


def test_the_slug_never_changes_and_names_are_unique(api: APIClient) -> None:
    create(api, **STDIO)
    assert list(fields_of(api.patch(f"{URL}/time", {"slug": "clock"}, format="json"))) == ["slug"]
    response = api.post(URL, {**STDIO, "name": "TIME"}, format="json")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "already_taken")
    assert create(api, **{**STDIO, "name": "Time!"})["slug"] == "time-2"
    assert create(api, **{**STDIO, "name": "Export"})["slug"] == "export-2"


def test_a_lost_update_is_refused(api: APIClient) -> None:
    seen = f'"{create(api, **STDIO)["version"]}"'
    assert (
        api.patch(f"{URL}/time", {"description": "a"}, format="json", headers={"If-Match": seen}).status_code
        == 200
    )
    assert api.post(f"{URL}/time/stop", headers={"If-Match": seen}).status_code == 412
    assert api.delete(f"{URL}/time", headers={"If-Match": seen}).status_code == 412


@pytest.mark.parametrize(("verb", "enabled"), [("start", True), ("stop", False), ("restart", True)])
def test_start_stop_and_restart_write_intent(api: APIClient, verb: str, enabled: bool) -> None:
    create(api, **STDIO, is_enabled=verb != "start")
    response = api.post(f"{URL}/time/{verb}")
    assert (response.status_code, response.json()["is_enabled"]) == (202, enabled)
    assert MCPTool.objects.get().generation == 2


def test_only_changes_of_how_it_runs_start_a_server_anew(api: APIClient) -> None:
    create(api, **STDIO)
    api.patch(f"{URL}/time", {"description": "clocks", "replicas": 2}, format="json")
    assert MCPTool.objects.get().generation == 1
    api.patch(f"{URL}/time", {"args": ["-v"]}, format="json")
    assert MCPTool.objects.get().generation == 2


def test_a_server_that_the_policy_refuses_by_now_can_still_be_stopped(api: APIClient, settings: Any) -> None:
    create(api, **STDIO)
    settings.MCP_ALLOWED_COMMANDS = []
    assert api.post(f"{URL}/time/stop").status_code == 202
    assert list(fields_of(api.patch(f"{URL}/time", {"description": "x"}, format="json"))) == ["command"]


def test_a_server_in_use_is_deleted_only_by_force(api: APIClient) -> None:
    created = create(api, **STDIO)
    assistant = assistant_of(created)
    response = api.delete(f"{URL}/time")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "in_use")
    assert response.json()["error"]["details"]["assistants"] == [
        {"id": assistant.pk, "name": "helper", "slug": "helper"}
    ]
    assert api.delete(f"{URL}/time?force=maybe").status_code == 422
    assert assistant.tools.count() == 1
    assert api.delete(f"{URL}/time?force=true").status_code == 204
    assert assistant.tools.count() == 0
    assert api.get(f"{URL}/time").status_code == 404
    assert api.get(URL).json() == []


def test_a_deleted_server_frees_its_name_and_slug(api: APIClient) -> None:
    create(api, **STDIO)
    assert api.delete(f"{URL}/time").status_code == 204
    assert create(api, **STDIO)["slug"] == "time"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("post", ""),
        ("get", "/time"),
        ("patch", "/time"),
        ("delete", "/time"),
        ("post", "/time/start"),
        ("post", "/import"),
        ("get", "/export"),
        ("get", "/time/functions"),
        ("patch", "/time/functions/now"),
    ],
)
def test_a_key_without_the_permission_to_manage_sees_and_changes_nothing(
    caller: APIClient, method: str, path: str
) -> None:
    server = actions.register(by=BY, **STDIO)
    response = getattr(caller, method)(f"{URL}{path}", {}, format="json")
    assert (response.status_code, response.json()["error"]["type"]) == (403, "management_required")
    server.refresh_from_db()
    assert (server.version, server.deleted_at) == (1, None)


def test_each_change_is_in_the_audit_trail(api: APIClient) -> None:
    created = create(api, **STDIO, env={"TOKEN": CANARY})
    api.patch(f"{URL}/time", {"args": ["--token", CANARY]}, format="json")
    api.post(f"{URL}/time/stop")
    api.delete(f"{URL}/time")
    entries = AuditEntry.objects.filter(object_kind="MCP server", object_id=created["id"]).order_by("id")
    assert [entry.action for entry in entries] == ["created", "updated", "updated", "deleted"]
    assert entries[1].after == {"args": ["--token", "********"]}
    assert CANARY not in str(list(entries.values()))
