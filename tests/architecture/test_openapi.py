"""The product conforms to its OpenAPI description, and no request outside of it causes an error 500."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import orjson
import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from apikeys.actions import IssuedKey
from tests.stack import Stack, wait_for

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# These have tests of their own: a connection test would look up made-up host names, and a rotation would lock
# the fuzzer out. The OpenAI API is the same under /api/v1 as under /v1.
EXCLUDED = r"/(test|rotate)$|^/api/v1/(chat|embeddings|models|responses)"
# 503 is the true answer for a server that the fuzzer has stopped.
EXPECTED = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 503]\n'
Items = Mapping[str, object]


def test_the_description_is_valid_and_generated_without_a_warning(tmp_path: object) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", f"{tmp_path}/schema.yml")


def test_the_description_is_made_once(stack: Stack) -> None:
    def get(**headers: str) -> httpx.Response:
        return httpx.get(f"{stack.url}/api/schema", headers=headers, timeout=30)

    first, second = get(accept="application/json"), get(accept="application/json")
    assert first.json()["openapi"].startswith("3.1")
    assert (first.content, first.headers["etag"]) == (second.content, second.headers["etag"])
    assert get(accept="application/json", **{"if-none-match": first.headers["etag"]}).status_code == 304
    assert get().text.startswith("openapi:")


def test_it_is_true_of_deletions_streams_and_unknown_fields() -> None:
    description = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    paths, schemas = description["paths"], description["components"]["schemas"]
    assert [*paths["/v1/responses/{response_id}"]["delete"]["responses"]] == ["200", "default"]
    assert [*paths["/api/v1/assistants/{id}"]["delete"]["responses"]] == ["204", "default"]
    for path in ("/v1/chat/completions", "/v1/responses"):
        assert "text/event-stream" in paths[path]["post"]["responses"]["200"]["content"]
    for path in ("/v1/embeddings", "/v1/responses/input_tokens"):
        assert [*paths[path]["post"]["responses"]] == ["200", "default"]
    for name in ("ApiKeyRequest", "PatchedApiKeyRequest", "LimitsRequest"):
        assert schemas[name]["additionalProperties"] is False
    for name in ("ChatCompletionRequestRequest", "ResponseRequestRequest", "ImportRequest"):
        assert schemas[name]["additionalProperties"] is True
    assert "additionalProperties" not in schemas["ApiKey"]


@pytest.fixture(scope="module")
def key(stack: Stack) -> IssuedKey:
    return stack.key("schemathesis", can_manage=True)


@pytest.mark.timeout(600)
def test_no_request_breaks_the_product_or_its_description(
    stack: Stack, key: IssuedKey, tmp_path: Path
) -> None:
    """Item routes get the ids of real items, of which those that are deleted serve for nothing else."""
    configuration = tmp_path / "schemathesis.toml"
    kept, doomed = _items(stack, key, "kept"), _items(stack, key, "doomed")
    configuration.write_text(
        EXPECTED + "".join(_overrides(kept, "GET PUT PATCH POST") + _overrides(doomed, "DELETE"))
    )
    _fuzz(stack, key, configuration, phases="examples,coverage,fuzzing", examples=10)


@pytest.mark.timeout(600)
def test_what_is_created_can_be_read_changed_and_deleted(
    stack: Stack, key: IssuedKey, tmp_path: Path
) -> None:
    """The fuzzer follows the links of the description."""
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(EXPECTED)
    _fuzz(stack, key, configuration, phases="stateful", examples=10)


def _fuzz(stack: Stack, key: IssuedKey, configuration: Path, *, phases: str, examples: int) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration), "run"]
    options = {
        "--header": f"Authorization: Bearer {key.key}",
        "--checks": CHECKS,
        "--phases": phases,
        "--exclude-path-regex": EXCLUDED,
        "--max-examples": str(examples),
        "--workers": "1",
        "--request-timeout": "15",
        "--seed": "1",
    }
    flat = [part for option in options.items() for part in option]
    result = subprocess.run(
        [*command, f"{stack.url}/api/schema", *flat],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.architecture.fuzzing"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]


def _overrides(items: Items, methods: str) -> list[str]:
    """Returns settings of Schemathesis: the parameters of the paths of operations."""
    return [
        f"[[operations]]\ninclude-path-regex = '/{kind}/\\{{'\ninclude-method = {methods.split()}\n"
        f"parameters = {{ {names} }}\n"
        for kind, names in items.items()
    ]


def _items(stack: Stack, key: IssuedKey, name: str) -> Items:
    """Makes one item of each kind. Returns the parameters of their paths, by the path's name for the kind."""
    slug = f"fuzzed-{name}"
    server = stack.server(f"Fuzzed {name}")
    assistant = stack.assistant(slug, server, keys=(key,))
    stack.llm.script(slug, {"text": "Hello.", "repeat": True})
    headers = {"authorization": f"Bearer {key.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as api:
        asked = {"model": slug, "input": "Hello", "session_id": name}
        response = api.post("/v1/responses", json=asked).json()["id"]
        provider = api.post("/api/v1/providers", json={"name": name, "default_model": name}).json()["id"]
        sessions = {"session_id": name}
        wait_for(lambda: api.get("/api/v1/sessions", params=sessions).json(), within_s=15)
        session = api.get("/api/v1/sessions", params=sessions).json()[0]["id"]
        run = api.get("/api/v1/runs", params={"conversation_id": session}).json()[0]["id"]
    ids = {
        "api-keys": stack.key(f"fuzzed-{name}").api_key.pk,
        "assistants": assistant.pk,
        "mcp-tools": server.pk,
        "providers": provider,
        "runs": run,
        "sessions": session,
    }
    return {
        **{kind: f"'path.id' = {orjson.dumps(pk).decode()}" for kind, pk in ids.items()},
        "assistants": f"'path.id' = {assistant.pk}, 'path.slug' = '{slug}'",
        "functions": f"'path.id' = {server.pk}, 'path.name' = 'echo'",
        "tools": f"'path.slug' = '{slug}', 'path.name' = 'fuzzed-{name}__echo'",
        "models": f"'path.model' = '{slug}'",
        "responses": f"'path.response_id' = '{response}'",
    }
