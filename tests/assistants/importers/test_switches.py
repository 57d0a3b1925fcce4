"""A server that is off in a file is off here, and so is one whose credential has no place."""

import json
from typing import Any

import pytest

from assistants.importers import products
from assistants.importers.draft import Draft
from tests.assistants.importers import scene

OFF = [
    {"disabled": True}, {"enabled": False}, {"enable": False}, {"isActive": False}, {"is_active": False},
    {"disabled": "true"}, {"enabled": "False"}, {"enabled": True, "disabled": True},
    {"enabled": False, "disabled": False}, {"is_active": True, "enabled": False},
]  # fmt: skip
ON = {"disabled": False, "enabled": True, "enable": True, "isActive": True, "is_active": True}


def content(product: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a file of the product with one server of these settings."""
    server = {"url": "https://1.1.1.1/mcp", **settings}
    match product:
        case "litellm":
            return {"mcp_servers": {"a": server}}
        case "contextforge":
            return {"entities": {"gateways": [{"name": "a", **server}]}}
        case "open-webui":
            known = {"type": "mcp", "info": {"name": "a"}, "config": {"enable": True}}
            return {"tool_server": {"connections": [{**known, **server}]}}
        case "vscode":
            return {"servers": {"a": server}}
        case _:
            return {"mcpServers": {"a": server}}


def read(product: str, **settings: Any) -> Draft:
    return products.read(product, [json.dumps(content(product, settings)).encode()], environ={})


@pytest.mark.parametrize("product", scene.PRODUCTS)
def test_a_server_that_is_off_by_any_switch_comes_over_stopped(product: str) -> None:
    assert read(product).servers[0].is_enabled
    assert read(product, **ON).servers[0].is_enabled
    for off in OFF:
        assert not read(product, **off).servers[0].is_enabled, off


def test_what_is_inactive_in_metamcp_stays_so() -> None:
    assert not read("metamcp", status="inactive").servers[0].is_enabled
    servers = [{"name": "a", "enabled": False}, {"name": "b", "status": "inactive"}]
    file = {
        "mcpServers": {name: {"url": f"https://1.1.1.1/{name}"} for name in "ab"},
        "namespaces": [{"name": "n", "servers": servers}],
    }
    draft = products.read("metamcp", [json.dumps(file).encode()], environ={})
    assert draft.assistants[0].tools == []
    assert [each.is_enabled for each in draft.servers] == [True, True]


def test_a_connection_of_open_webui_is_off_by_its_configuration() -> None:
    for config in ({}, {"enable": False}, {"enable": True, "disabled": True}):
        assert not read("open-webui", config=config).servers[0].is_enabled


@pytest.mark.parametrize("product", [each for each in scene.PRODUCTS if each != "metamcp"])
@pytest.mark.parametrize("name", ["bearerToken", "apiKey", "access_token"])
def test_a_server_whose_credential_has_no_place_comes_over_stopped(product: str, name: str) -> None:
    if (product, name) == ("librechat", "apiKey"):
        pytest.skip("it has a place there")
    draft = read(product, **{name: "canary"})
    assert not draft.servers[0].is_enabled
    assert draft.steps == [f"server a: give it its credential ({name}), and start it."]
    assert any(each.path.endswith(f".{name}") for each in draft.left_out)
    assert read(product, **{name: ""}).servers[0].is_enabled


def test_a_bearer_token_of_metamcp_has_a_place() -> None:
    (server,) = read("metamcp", bearerToken="canary").servers
    assert (server.is_enabled, server.headers) == (True, {"Authorization": "Bearer canary"})


@pytest.mark.parametrize(
    ("product", "stated"),
    [
        ("litellm", {"auth_type": "aws_sigv4"}),
        ("litellm", {"auth_type": "bearer_token"}),
        ("contextforge", {"auth_type": "authheaders", "auth_value": "encrypted"}),
        ("open-webui", {"auth_type": "session"}),
        ("open-webui", {"headers": "no JSON"}),
        ("open-webui", {"headers": {"Authorization": "Bearer {{USER_TOKEN}}"}}),
        ("librechat", {"apiKey": {"source": "user"}}),
        ("librechat", {"headers": {"X-Api-Key": "{{LIBRECHAT_USER_ID}}"}}),
        ("librechat", {"obo": {"scopes": "s"}}),
        ("claude", {"headersHelper": "/opt/helper.sh"}),
    ],
)
def test_a_credential_that_only_the_other_product_can_give_stops_its_server(
    product: str, stated: dict[str, Any]
) -> None:
    draft = read(product, **stated)
    assert not draft.servers[0].is_enabled
    assert [step for step in draft.steps if "give it its credential" in step]


def test_a_server_is_stopped_whose_place_in_the_file_is_told_as_that_of_another() -> None:
    project = "/home/" + "deep/" * 20
    file = {
        "projects": {
            f"{project}{name}": {"mcpServers": {"a": {"url": f"https://1.1.1.1/{name}", **settings}}}
            for name, settings in (("first", {"headersHelper": "/opt/helper.sh"}), ("second", {}))
        }
    }
    draft = products.read("claude", [json.dumps(file).encode()], environ={})
    first, second = draft.servers
    assert (first.url, first.is_enabled) == ("https://1.1.1.1/first", False)
    assert not second.is_enabled  # nothing tells it from the first: better stopped than called without


@pytest.mark.parametrize(
    ("product", "stated"),
    [
        ("litellm", {"auth_type": "oauth2"}),
        ("contextforge", {"auth_type": "oauth"}),
        ("open-webui", {"auth_type": "oauth_2.1"}),
        ("cursor", {"auth": {"CLIENT_ID": "i"}}),
        ("librechat", {"headers": {"X-User": "{{LIBRECHAT_USER_ID}}"}}),
    ],
)
def test_a_server_that_asks_for_a_login_runs_to_ask_for_it(product: str, stated: dict[str, Any]) -> None:
    assert read(product, **stated).servers[0].is_enabled
