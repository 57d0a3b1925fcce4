"""The management API of rules."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apikeys.models import AuditEntry
from assistants import actions
from assistants.models import Assistant, Rule, Run, ToolCall
from tests.assistants.api.conftest import BY, Client, key, server
from tests.queries import assert_queries

DENY = {"name": "No writing", "then": "deny", "when": {"labels": ["sends_out"]}, "reason": "Ask first."}


def mine() -> Any:
    """The rules but those that the installation came with."""
    return Rule.objects.filter(name__in=["No writing", "Other", "First", "Second"])


def test_a_rule_is_created_read_changed_and_deleted(api: Client) -> None:
    created = api.create("rules", DENY)
    assert created == {
        "id": created["id"],
        "version": 1,
        "name": "No writing",
        "position": created["position"],
        "scope": "global",
        "assistant_id": None,
        "api_key_id": None,
        "when": {"labels": ["sends_out"]},
        "then": "deny",
        "approver": None,
        "reason": "Ask first.",
        "mask": [],
        "is_enabled": True,
        "created_at": created["created_at"],
        "updated_at": created["updated_at"],
    }
    path = f"rules/{created['id']}"
    assert api.read(path) == created
    assert created in api.read("rules", search="writing")
    changed = api.change(path, {"then": "ask", "approver": "caller", "is_enabled": False})
    assert (changed["then"], changed["approver"], changed["version"]) == ("ask", "caller", 2)
    assert changed["when"] == created["when"]
    assert api.delete(f"/api/v1/{path}").status_code == 204
    assert not mine().exists()
    entries = AuditEntry.objects.filter(object_kind="rule", object_id=created["id"]).order_by("id")
    assert [entry.action for entry in entries] == ["created", "updated", "deleted"]
    assert entries[1].after == {"effect": "ask", "approver": "caller", "is_enabled": False}


def test_what_was_read_may_be_sent_back(api: Client) -> None:
    for fields in ({}, {"then": "ask"}, {"then": "mask", "mask": ["$.a"]}):
        row = api.create("rules", {**DENY, **fields, "name": "Other"})
        sent = {
            name: value
            for name, value in row.items()
            if name not in ("id", "version", "created_at", "updated_at")
        }
        response = api.put(f"/api/v1/rules/{row['id']}", sent, format="json")
        assert response.status_code == 200, response.content
        assert response.json() == {**row, "version": 2, "updated_at": response.json()["updated_at"]}
        api.delete(f"/api/v1/rules/{row['id']}")


def test_a_change_may_name_the_version_that_it_is_of(api: Client) -> None:
    path = f"rules/{api.create('rules', DENY)['id']}"
    api.change(path, {"name": "Other"})
    status, error = api.refused("patch", path, {"name": "First"}, **{"If-Match": '"1"'})
    assert (status, error["type"]) == (412, "version_conflict")
    assert api.get(f"/api/v1/{path}").headers["ETag"] == '"2"'


def test_only_keys_that_manage_see_rules(api: Client) -> None:
    caller = Client(key("caller").key)
    for method, path in (("get", "rules"), ("post", "rules"), ("post", "rules/dry-run")):
        assert caller.refused(method, path, DENY if method == "post" else None)[0] == 403


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"then": "explode"}, "then"),
        ({"then": None}, "then"),
        ({"scope": "world"}, "scope"),
        ({"scope": "assistant"}, "assistant_id"),
        ({"scope": "key"}, "api_key_id"),
        ({"scope": "assistant", "assistant_id": 999}, "assistant_id"),
        ({"approver": "staff"}, "approver"),
        ({"then": "ask", "approver": "boss"}, "approver"),
        ({"mask": ["$.a"]}, "mask"),
        ({"then": "mask"}, "mask"),
        ({"then": "mask", "mask": []}, "mask"),
        ({"then": "mask", "mask": ["$.*"]}, "mask"),
        ({"then": "mask", "mask": ["$.a\0"]}, "mask"),
        ({"then": "mask", "mask": "$.a"}, "mask"),
        ({"position": -1}, "position"),
        ({"position": 10**9}, "position"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"colour": "red"}, "colour"),
        ({"when": []}, "when"),
        ({"when": None}, "when"),
        ({"when": {"tools": [1]}}, "when.tools"),
        ({"when": {"servers": [999]}}, "when.servers"),
        ({"when": {"servers": ["x"]}}, "when.servers"),
        ({"when": {"functions": ["nobody__knows"]}}, "when.functions"),
        ({"when": {"labels": ["secret"]}}, "when.labels"),
        ({"when": {"annotations": {"readOnly": True}}}, "when.annotations"),
        ({"when": {"end_users": ["\0"]}}, "when.end_users"),
        ({"when": {"expression": "call.arguments.path =="}}, "when.expression"),
        ({"when": {"expression": "'\0' == ''"}}, "when.expression"),
        ({"when": {"expression": "call.arguments.path.matches(call.server)"}}, "when.expression"),
        ({"when": {"expression": "x" * 5000}}, "when.expression"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(
    api: Client, fields: dict[str, Any], field: str
) -> None:
    row = api.create("rules", {**DENY, "name": "Other"})
    for method, path in (("post", "rules"), ("patch", f"rules/{row['id']}")):
        status, error = api.refused(method, path, {**DENY, **fields})
        [named] = error["details"]["fields"]
        assert (status, named.partition("[")[0]) == (422, field)
    assert mine().count() == 1
    assert api.read(f"rules/{row['id']}") == row
    trial = {name: value for name, value in (DENY | fields).items() if name != "name" or not value}
    status, error = api.refused("post", "rules/dry-run", {"rule": trial})
    assert status == 422


def test_names_are_unique(api: Client) -> None:
    api.create("rules", DENY)
    status, error = api.refused("post", "rules", DENY | {"name": "NO WRITING"})
    assert (status, error["type"]) == (409, "already_taken")


def test_a_rule_of_a_scope_goes_with_its_object(api: Client) -> None:
    assistant = actions.create(by=BY, name="Helper")
    caller = key("caller").api_key
    api.create("rules", {**DENY, "name": "First", "scope": "assistant", "assistant_id": assistant.pk})
    second = api.create("rules", {**DENY, "name": "Second", "scope": "key", "api_key_id": caller.pk})
    assert [row["name"] for row in api.read("rules", scope="assistant")] == ["First"]
    assert [row["name"] for row in api.read("rules", api_key_id=caller.pk)] == ["Second"]
    wider = api.change(f"rules/{second['id']}", {"scope": "global"})
    assert (wider["scope"], wider["api_key_id"]) == ("global", None)
    api.delete("/api/v1/assistants/helper")
    assert not Rule.objects.filter(name="First").exists()


def test_a_rule_for_a_server_that_is_gone_can_be_switched_off(api: Client) -> None:
    row = server("Files")
    path = f"rules/{api.create('rules', DENY | {'when': {'servers': [row.pk]}})['id']}"
    api.delete(f"/api/v1/mcp-tools/{row.pk}")
    assert api.change(path, {"is_enabled": False})["is_enabled"] is False


def test_a_new_rule_stands_behind_those_of_its_scope(api: Client) -> None:
    first = api.create("rules", DENY | {"name": "First"})
    second = api.create("rules", DENY | {"name": "Second"})
    assert second["position"] > first["position"]
    assert api.create("rules", DENY | {"position": 3})["position"] == 3


# --- Dry runs


@pytest.fixture
def calls(db: None) -> None:
    """Three calls of an assistant that stores bodies, one that stores none, and one of long ago."""
    files = server("Files", "write", "read")
    tool_id = files.pk
    helper = actions.create(by=BY, name="Helper")
    for at, (arguments, days) in enumerate(
        [
            ({"path": "/etc/a"}, 0),
            ({"path": "/tmp/b"}, 1),
            ({"path": "/etc/c"}, 2),
            (None, 3),
            ({"path": "/etc/d"}, 9),
        ]
    ):
        moment = timezone.now() - timedelta(days=days, minutes=1)
        run = Run.objects.create(
            run_id=f"run_{at}", request_id="r", api_key_name="alice", key_prefix="mcpc_a", started_at=moment,
            assistant=helper, assistant_slug="helper", status="completed", end_user="user-1",
        )  # fmt: skip
        ToolCall.objects.create(
            run=run, position=0, mcp_tool_id=tool_id, server="Files", function="write", status="ok",
            started_at=moment, arguments=arguments,
        )  # fmt: skip


def dry_run(api: Client, rule: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = api.post("/api/v1/rules/dry-run", {"rule": rule, **fields}, format="json")
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_a_dry_run_tells_which_calls_a_rule_would_have_stopped(api: Client, calls: None) -> None:
    expression = "call.arguments.path.startsWith('/etc')"
    told = dry_run(api, {"then": "deny", "when": {"expression": expression}})
    assert (told["calls"], told["asked"], told["masked"], told["undecidable"]) == (4, [], [], 1)
    assert [each["run_id"] for each in told["denied"]] == ["run_0", "run_2"]
    assert set(told["denied"][0]) == {"run_id", "server", "function", "assistant", "started_at"}
    earlier = (timezone.now() - timedelta(days=30)).isoformat()
    assert (
        len(dry_run(api, {"then": "deny", "when": {"expression": expression}}, since=earlier)["denied"]) == 3
    )


def test_a_dry_run_tells_about_asking_and_masking(api: Client, calls: None) -> None:
    assert len(dry_run(api, {"then": "ask"})["asked"]) == 4
    assert len(dry_run(api, {"then": "mask", "mask": ["$.path"]})["masked"]) == 4
    told = dry_run(api, {"then": "allow"})
    assert (told["calls"], told["denied"], told["asked"], told["masked"]) == (4, [], [], [])
    assert dry_run(api, {"then": "ask", "when": {"end_users": ["user-2"]}})["asked"] == []
    failing = dry_run(api, {"then": "ask", "when": {"expression": "call.arguments.path > 1"}})
    assert (len(failing["denied"]), failing["undecidable"]) == (3, 1)


def test_what_a_conversation_had_touched_is_not_known_afterwards(api: Client, calls: None) -> None:
    touched = {"expression": "'foreign_text' in touched"}
    assert dry_run(api, {"then": "ask", "when": touched})["undecidable"] == 4
    never = {"expression": "'foreign_text' in touched && 'sends_out' in call.labels"}
    assert dry_run(api, {"then": "ask", "when": never})["undecidable"] == 0


def test_what_depends_on_a_part_of_what_was_touched_is_not_known_either(api: Client, calls: None) -> None:
    apart = {"expression": "'foreign_text' in touched && !('sends_out' in touched)"}
    told = dry_run(api, {"then": "ask", "when": apart})
    assert (told["asked"], told["undecidable"]) == ([], 4)
    always = {"expression": "'foreign_text' in touched || !('foreign_text' in touched)"}
    told = dry_run(api, {"then": "ask", "when": always})
    assert (len(told["asked"]), told["undecidable"]) == (4, 0)


@pytest.mark.parametrize("expression", ["1", "call.arguments.n + 1"])
def test_an_expression_that_judges_nothing_is_refused(api: Client, expression: str) -> None:
    fields = {"then": "deny", "when": {"expression": expression}}
    for path, sent, named in (
        ("rules", {"name": "A", **fields}, ""),
        ("rules/dry-run", {"rule": fields}, "rule."),
    ):
        status, error = api.refused("post", path, sent)
        [message] = error["details"]["fields"][f"{named}when.expression"]
        assert (status, "never true or false" in message) == (422, True)


def test_a_dry_run_of_a_scope_looks_at_its_calls(api: Client, calls: None) -> None:
    other = actions.create(by=BY, name="Other")
    helper = Assistant.objects.get(slug="helper")
    for assistant, count in ((helper, 4), (other, 0)):
        rule = {"then": "ask", "scope": "assistant", "assistant_id": assistant.pk}
        assert dry_run(api, rule)["calls"] == count


def test_a_dry_run_changes_nothing_and_reads_in_a_few_queries(api: Client, calls: None) -> None:
    with assert_queries(4):
        dry_run(api, {"then": "ask"})
    assert not mine().exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rule": 5},
        {"rule": {}},
        {"rule": {"then": "ask"}, "since": "soon"},
        {"rule": {"then": "ask"}, "since": "2999-01-01T00:00:00Z"},
        {"rule": {"then": "ask"}, "until": 1},
    ],
)
def test_a_dry_run_refuses_bad_input(api: Client, body: dict[str, Any]) -> None:
    assert api.refused("post", "rules/dry-run", body)[0] == 422
