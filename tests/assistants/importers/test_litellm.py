"""What LiteLLM writes in several ways: credentials of servers, and providers of models."""

import json

import pytest

from apikeys.models import ApiKey
from assistants.models import Assistant, Provider
from tests.assistants.importers import scene
from tools.models import MCPTool

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("credentials", "headers"),
    [
        ({"auth_type": "none"}, {}),
        ({"auth_type": "api_key", "auth_value": "k"}, {"X-API-Key": "k"}),
        ({"auth_type": "bearer_token", "authentication_token": "k"}, {"Authorization": "Bearer k"}),
        ({"auth_type": "basic", "auth_value": "a:b"}, {"Authorization": "Basic YTpi"}),
        ({"auth_type": "basic", "auth_value": "YTpi"}, {"Authorization": "Basic YTpi"}),
        ({"auth_type": "authorization", "auth_value": "Own k"}, {"Authorization": "Own k"}),
        ({"auth_type": "token", "credentials": {"auth_value": "k"}}, {"Authorization": "token k"}),
        ({"auth_type": "oauth2_token_exchange", "auth_value": "k"}, {}),
        ({"auth_type": "aws_sigv4", "auth_value": "k"}, {}),
        ({"auth_type": "bearer_token"}, {}),
    ],
)
def test_credentials_of_litellm_are_the_headers_that_it_sends(credentials, headers, tmp_path) -> None:
    server = {"url": "https://a.example.com/mcp", "transport": "http", **credentials}
    (tmp_path / "config.json").write_text(json.dumps({"mcp_servers": {"a": server}}))

    _, report = scene.run("litellm", tmp_path / "config.json")

    assert MCPTool.objects.get().headers == headers
    is_left = credentials["auth_type"] != "none" and not headers
    assert ("mcp_servers.a.auth_type" in scene.left_out(report)) == is_left


def test_servers_in_a_list_are_those_by_name(tmp_path) -> None:
    servers = [
        {"server_name": "weather", "url": "https://weather.example.com/mcp", "transport": "http"},
        {"server_name": "search", "alias": "find", "url": "https://search.example.com/mcp", "new": True},
    ]
    (tmp_path / "config.json").write_text(json.dumps({"mcp_servers": servers}))

    lines, report = scene.run("litellm", tmp_path / "config.json")

    assert lines == ["+ server weather", "+ server find", "+ assistant litellm-tools"]
    assert scene.left_out(report).keys() == {"mcp_servers[1].new"}


def test_a_model_that_answers_no_chats_adds_no_provider(tmp_path) -> None:
    model = {"model_name": "m", "litellm_params": {"model": "who-knows"}, "model_info": {"mode": "embedding"}}
    known = {**model, "litellm_params": {"model": "openai/text-embedding-3-small", "api_key": "k"}}
    (tmp_path / "config.json").write_text(json.dumps({"model_list": [model, known]}))

    _, report = scene.run("litellm", tmp_path / "config.json")

    assert [why.split(" have")[0] for why in scene.left_out(report).values()] == ["Models for embedding"] * 2
    assert not Provider.objects.exists()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"model": "openai/gpt-4o"}, ("openai", "https://api.openai.com/v1", "gpt-4o")),
        ({"model": "gpt-4o"}, ("openai", "https://api.openai.com/v1", "gpt-4o")),
        ({"model": "claude-sonnet-4-5"}, ("anthropic", "", "claude-sonnet-4-5")),
        (
            {"model": "groq/openai/gpt-oss-20b"},
            ("openai", "https://api.groq.com/openai/v1", "openai/gpt-oss-20b"),
        ),
        ({"model": "bedrock/anthropic.claude"}, ("bedrock", "", "anthropic.claude")),
        (
            {"model": "openai/own", "api_base": "https://own.example.com/v1/"},
            ("openai", "https://own.example.com/v1", "own"),
        ),
        ({"model": "own", "custom_llm_provider": "openai"}, ("openai", "https://api.openai.com/v1", "own")),
        (
            {"model": "azure/eu", "api_base": "https://x.openai.azure.com"},
            ("openai", "https://x.openai.azure.com/openai/v1", "eu"),
        ),
        ({"model": "vertex_ai/gemini-2"}, None),
        ({"model": "who-knows"}, None),
    ],
)
def test_models_of_litellm_find_their_provider(model, expected, tmp_path) -> None:
    content = {"model_list": [{"model_name": "m", "litellm_params": {"api_key": "k", **model}}]}
    (tmp_path / "config.json").write_text(json.dumps(content))

    _, report = scene.run("litellm", tmp_path / "config.json")

    found = Assistant.objects.select_related("provider").first()
    assert ((found.provider.kind, found.provider.base_url, found.model) if found else None) == expected
    assert ("model_list[0]" in scene.left_out(report)) == (expected is None)


@pytest.mark.parametrize(("stated", "address"), [("https://llm.example.com/v1", True), ("", False)])
def test_an_empty_variable_is_none(stated: str, address: bool, tmp_path, monkeypatch) -> None:
    """Else the key of one service would go to another: an empty address is that of OpenAI."""
    monkeypatch.setenv("LLM_BASE", "")
    params = {"model": "openai/a", "api_base": "os.environ/LLM_BASE", "api_key": "canary"}
    content = {
        "environment_variables": {"LLM_BASE": stated},
        "model_list": [{"model_name": "a", "litellm_params": params}],
    }
    (tmp_path / "config.json").write_text(json.dumps(content))

    _, report = scene.run("litellm", tmp_path / "config.json")

    assert [each.base_url for each in Provider.objects.all()] == ([stated] if address else [])
    assert ("LLM_BASE is not set" in str(scene.left_out(report))) != address


def test_a_limit_that_hardly_limits_is_the_largest_here(tmp_path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps([{"key_alias": "a", "tpm_limit": 9_999_999_999}]))

    scene.run("litellm", tmp_path / "keys.json")

    assert ApiKey.objects.get().tokens_per_minute == 2**31 - 1
