"""The management API of assistants, over real requests."""

from typing import Any

import pytest

from apikeys.actions import IssuedKey
from apikeys.models import AuditEntry
from assistants.models import Assistant
from tests.assistants.api.conftest import BY, Client, key, server
from tools import actions as tool_actions

SHAPE = {
    "id", "version", "name", "slug", "aliases", "description", "system_prompt", "provider_id", "model",
    "parameters", "mcp_tool_ids", "tools", "selection", "top_k", "schema_token_budget", "max_rounds",
    "learns", "store_bodies", "masks_secrets", "fallback_provider_id", "fallback_model", "rendering",
    "is_enabled", "api_key_ids", "created_at", "updated_at",
}  # fmt: skip


def test_a_created_assistant_has_the_ordered_shape(api: Client) -> None:
    time, alice = server("Time", "now"), key("alice").api_key
    created = api.create(
        "assistants",
        {
            "name": "Helper",
            "aliases": ["gpt-4.1-mini"],
            "system_prompt": "You help.",
            "parameters": {"temperature": 0.5, "extra": {"seed": 7}},
            "mcp_tool_ids": [time.pk],
            "api_key_ids": [alice.pk],
        },
    )
    assert set(created) == SHAPE
    assert (created["slug"], created["aliases"], created["provider_id"]) == ("helper", ["gpt-4.1-mini"], None)
    assert created["parameters"] == {"temperature": 0.5, "extra": {"seed": 7}}
    assert created["tools"] == [{"mcp_tool_id": time.pk, "functions": "all", "pinned": []}]
    assert (created["mcp_tool_ids"], created["api_key_ids"]) == ([time.pk], [alice.pk])
    assert created["created_at"].endswith("Z")
    for path in (f"assistants/{created['id']}", "assistants/helper"):
        assert api.read(path) == created


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_change_may_be_partial(api: Client, method: str) -> None:
    time, alice = server("Time"), key("alice").api_key
    created = api.create("assistants", {"name": "Helper", "mcp_tool_ids": [time.pk]})
    send = getattr(api, method)
    response = send("/api/v1/assistants/helper", {"api_key_ids": [alice.pk]}, format="json")
    changed = response.json()
    assert response.status_code == 200, changed
    ignored = {"api_key_ids", "version", "updated_at"}
    assert {k: v for k, v in changed.items() if k not in ignored} == {
        k: v for k, v in created.items() if k not in ignored
    }
    assert (changed["api_key_ids"], changed["version"]) == ([alice.pk], 2)
    assert response.headers["ETag"] == '"2"'


def test_an_assistant_can_be_sent_back_as_it_was_read(api: Client) -> None:
    api.create("assistants", {"name": "Helper", "mcp_tool_ids": [server("Time").pk]})
    read = api.read("assistants/helper")
    writable = {k: v for k, v in read.items() if k not in {"id", "version", "created_at", "updated_at"}}
    sent_back = api.change("assistants/helper", writable)
    assert sent_back | {"version": 1, "updated_at": read["updated_at"]} == read


def test_a_server_is_narrowed_to_functions_and_stays_so(api: Client) -> None:
    time, maps = server("Time", "now", "convert"), server("Maps", "find")
    use = {"mcp_tool_id": time.pk, "functions": ["now"], "pinned": ["now"]}
    assert api.create("assistants", {"name": "Helper", "tools": [use]})["tools"] == [use]
    changed = api.change("assistants/helper", {"mcp_tool_ids": [time.pk, maps.pk]})
    assert changed["tools"] == [use, {"mcp_tool_id": maps.pk, "functions": "all", "pinned": []}]
    use["functions"] = "all"
    assert api.change("assistants/helper", {"tools": [use]})["tools"] == [use]


def test_a_deleted_server_is_no_longer_listed(api: Client) -> None:
    time = server("Time")
    api.create("assistants", {"name": "Helper", "mcp_tool_ids": [time.pk]})
    tool_actions.delete(time, by=BY, force=True)
    assert api.read("assistants/helper")["mcp_tool_ids"] == []
    status, error = api.refused("patch", "assistants/helper", {"mcp_tool_ids": [time.pk]})
    assert (status, list(error["details"]["fields"])) == (422, ["mcp_tool_ids"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "auto"}, "slug"),
        ({"slug": "x" * 64}, "slug"),
        ({"aliases": ["auto"]}, "aliases"),
        ({"aliases": ["two words"]}, "aliases"),
        ({"aliases": ["helper"]}, "aliases"),
        ({"aliases": "gpt"}, "aliases"),
        ({"system_prompt": "nul\0"}, "system_prompt"),
        ({"provider_id": 999_999}, "provider_id"),
        ({"provider_id": "x"}, "provider_id"),
        ({"mcp_tool_ids": [999_999]}, "mcp_tool_ids"),
        ({"mcp_tool_ids": [0]}, "mcp_tool_ids"),
        ({"mcp_tool_ids": [10**30]}, "mcp_tool_ids"),
        ({"mcp_tool_ids": {"1": 2}}, "mcp_tool_ids"),
        ({"api_key_ids": [999_999]}, "api_key_ids"),
        ({"tools": [{"mcp_tool_id": 999_999}]}, "tools"),
        ({"tools": [{"mcp_tool_id": 1, "functions": []}]}, "tools"),
        ({"tools": [{"mcp_tool_id": 1, "functions": "some"}]}, "tools"),
        ({"tools": [{"mcp_tool_id": 1, "colour": "red"}]}, "tools"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"temprature": 1}}, "parameters"),
        ({"parameters": {"temperature": 2.1}}, "parameters"),
        ({"parameters": {"temperature": True}}, "parameters"),
        ({"parameters": {"top_p": "1"}}, "parameters"),
        ({"parameters": {"max_tokens": 0}}, "parameters"),
        ({"parameters": {"max_tokens": 1.5}}, "parameters"),
        ({"parameters": {"reasoning_effort": "Very Much"}}, "parameters"),
        ({"parameters": {"extra": {"messages": []}}}, "parameters"),
        ({"parameters": {"extra": {"note": "nul\0"}}}, "parameters.extra.note"),
        ({"parameters": {"extra": {"n": 10**30}}}, "parameters"),
        ({"parameters": {"extra": {"text": "x" * 70_000}}}, "parameters"),
        ({"selection": "everything"}, "selection"),
        ({"top_k": 0}, "top_k"),
        ({"schema_token_budget": -1}, "schema_token_budget"),
        ({"selection": "search", "schema_token_budget": 100}, "schema_token_budget"),
        ({"max_rounds": 51}, "max_rounds"),
        ({"store_bodies": "maybe"}, "store_bodies"),
        ({"learns": "maybe"}, "learns"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(api: Client, body: dict[str, Any], field: str) -> None:
    status, error = api.refused("post", "assistants", {"name": "Helper", **body})
    assert (status, list(error["details"]["fields"])) == (422, [field])
    assert not Assistant.objects.exists()
    assert not AuditEntry.objects.filter(object_kind="assistant").exists()


def test_an_unknown_function_is_refused_once_the_server_has_run(api: Client) -> None:
    seen, unseen = server("Seen", "now"), server("Unseen")
    use = {"mcp_tool_id": unseen.pk, "functions": ["anything"]}
    api.create("assistants", {"name": "Early", "tools": [use]})
    use = {"mcp_tool_id": seen.pk, "functions": ["nwo"]}
    status, error = api.refused("post", "assistants", {"name": "Late", "tools": [use]})
    assert (status, list(error["details"]["fields"])) == (422, ["tools"])


def test_two_lists_of_servers_must_agree(api: Client) -> None:
    time, maps = server("Time"), server("Maps")
    body = {"name": "Helper", "mcp_tool_ids": [maps.pk], "tools": [{"mcp_tool_id": time.pk}]}
    status, error = api.refused("post", "assistants", body)
    assert (status, list(error["details"]["fields"])) == (422, ["mcp_tool_ids"])


def test_a_slug_never_changes(api: Client) -> None:
    api.create("assistants", {"name": "Helper"})
    status, error = api.refused("patch", "assistants/helper", {"slug": "other"})
    assert (status, list(error["details"]["fields"])) == (422, ["slug"])
    assert api.change("assistants/helper", {"slug": "helper", "name": "Aide"})["name"] == "Aide"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "HELPER", "slug": "other"},
        {"name": "Other", "slug": "helper"},
        {"name": "Other", "slug": "nick"},
        {"name": "Other", "aliases": ["helper"]},
        {"name": "Other", "aliases": ["nick"]},
    ],
)
def test_slugs_and_aliases_are_one_namespace(api: Client, body: dict[str, Any]) -> None:
    api.create("assistants", {"name": "Helper", "aliases": ["nick"]})
    status, error = api.refused("post", "assistants", body)
    assert (status, error["type"]) == (409, "already_taken")
    assert Assistant.objects.count() == 1


def test_an_alias_is_free_again_when_it_is_given_up(api: Client) -> None:
    api.create("assistants", {"name": "Helper", "aliases": ["nick", "name"]})
    assert api.change("assistants/helper", {"aliases": ["name"]})["aliases"] == ["name"]
    assert api.create("assistants", {"name": "Other", "aliases": ["nick"]})["aliases"] == ["nick"]


def test_a_lost_update_is_refused(api: Client) -> None:
    api.create("assistants", {"name": "Helper"})
    api.change("assistants/helper", {"description": "First"})
    status, _ = api.refused("patch", "assistants/helper", {"description": "Late"}, **{"If-Match": '"1"'})
    assert status == 412
    assert api.read("assistants/helper")["description"] == "First"


def test_a_copy_has_everything_but_the_callers(api: Client) -> None:
    time, alice = server("Time", "now"), key("alice").api_key
    original = api.create(
        "assistants",
        {
            "name": "Helper",
            "aliases": ["nick"],
            "system_prompt": "You help.",
            "parameters": {"temperature": 1},
            "tools": [{"mcp_tool_id": time.pk, "functions": ["now"]}],
            "max_rounds": 3,
            "api_key_ids": [alice.pk],
        },
    )
    first = api.create("assistants/helper/duplicate", {})
    own = {"id", "name", "slug", "aliases", "api_key_ids", "version", "created_at", "updated_at"}
    assert {k: v for k, v in first.items() if k not in own} == {
        k: v for k, v in original.items() if k not in own
    }
    assert (first["name"], first["slug"]) == ("Helper (copy)", "helper-copy")
    assert (first["aliases"], first["api_key_ids"]) == ([], [])
    assert api.create("assistants/helper/duplicate", {})["slug"] == "helper-copy-2"
    named = api.create(f"assistants/{original['id']}/duplicate", {"name": "Second helper"})
    assert (named["name"], named["slug"]) == ("Second helper", "second-helper")
    status, error = api.refused("post", "assistants/helper/duplicate", {"name": "helper"})
    assert (status, error["type"]) == (409, "already_taken")


def test_lists_are_newest_first_searched_and_filtered(api: Client, manager: IssuedKey) -> None:
    time = server("Time")
    api.create("assistants", {"name": "First", "description": "Knows the weather"})
    api.create("assistants", {"name": "Second", "is_enabled": False})
    third = {"name": "Third", "mcp_tool_ids": [time.pk], "api_key_ids": [manager.api_key.pk]}
    api.create("assistants", third)

    def slugs(**query: Any) -> list[str]:
        return [row["slug"] for row in api.read("assistants", **query)]

    assert slugs() == ["third", "second", "first"]
    assert slugs(search="WEATHER") == ["first"]
    assert slugs(is_enabled="false") == ["second"]
    assert slugs(mcp_tool_id=time.pk) == ["third"]
    assert slugs(api_key_id=manager.api_key.pk) == ["third"]
    assert api.get("/api/v1/assistants?limit=2").headers["X-Total-Count"] == "3"


def test_a_deleted_assistant_is_gone(api: Client) -> None:
    api.create("assistants", {"name": "Helper"})
    assert api.delete("/api/v1/assistants/helper").status_code == 204
    assert api.refused("get", "assistants/helper")[0] == 404


@pytest.mark.parametrize(
    "path", ["assistants/0", "assistants/" + "9" * 40, "assistants/%00", "assistants/a b"]
)
def test_an_unknown_id_or_name_is_not_found(api: Client, path: str) -> None:
    assert api.refused("get", path)[0] == 404


def test_each_change_is_in_the_audit_trail(api: Client, manager: IssuedKey) -> None:
    time = server("Time")
    created = api.create("assistants", {"name": "Helper", "aliases": ["nick"]})
    api.change("assistants/helper", {"mcp_tool_ids": [time.pk], "aliases": []})
    entries = AuditEntry.objects.filter(object_kind="assistant", object_id=created["id"]).order_by("id")
    assert [(entry.action, entry.actor_id) for entry in entries] == [
        ("created", manager.api_key.pk),
        ("updated", manager.api_key.pk),
    ]
    use = {"mcp_tool_id": time.pk, "functions": None, "pinned": []}
    assert (entries[1].before, entries[1].after) == (
        {"aliases": ["nick"], "tools": []},
        {"aliases": [], "tools": [use]},
    )


def test_a_caller_may_not_manage(api: Client) -> None:
    caller = Client(key("caller").key)
    for path in ("assistants", "providers", "runs", "usage", "sessions"):
        assert caller.refused("get", path)[1]["type"] == "management_required"


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, {"functions": "all", "pinned": []}),
        ({"functions": ["now"]}, {"functions": ["now"], "pinned": []}),
        ({"pinned": ["now"]}, {"functions": "all", "pinned": ["now"]}),
    ],
)
def test_a_change_of_tools_may_leave_out_what_has_a_default(
    api: Client, method: str, sent: dict[str, Any], expected: dict[str, Any]
) -> None:
    time = server("Time", "now")
    created = api.create(
        "assistants", {"name": "Helper", "tools": [{"mcp_tool_id": time.pk, "pinned": ["now"]}]}
    )
    body = {"tools": [{"mcp_tool_id": time.pk, **sent}]}
    response = getattr(api, method)(f"/api/v1/assistants/{created['id']}", body, format="json")
    assert response.status_code == 200, response.content
    assert response.json()["tools"] == [{"mcp_tool_id": time.pk, **expected}]
    status, error = api.refused(method, f"assistants/{created['id']}", {"tools": [{}]})
    assert (status, list(error["details"]["fields"])) == (422, ["tools"])
