"""Wrong addresses of the OpenAI API: which ones are taken for it, and which right one is named."""

import time

import pytest

from assistants.openai_api.addresses import is_openai, meant

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/v1/v1/chat/completions", CHAT),
        ("/api/v1/v1/chat/completions", CHAT),
        ("/chat/completions", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("/v1/chat/completions//", CHAT),
        ("//v1//chat//completions", CHAT),
        ("/V1/Chat/Completions", CHAT),
        ("/v1/chat/completions/chat/completions", CHAT),
        ("/v1/chat", CHAT),
        ("/v1/chat/completion", CHAT),
        ("/v1/completions", CHAT),
        ("/v1/engines/clerk/completions", CHAT),
        ("/openai/deployments/clerk/chat/completions", CHAT),
        ("/proxy/v1/chat/completions", CHAT),
        ("/models", "/v1/models"),
        ("/v1/models/", "/v1/models"),
        ("/v1/models/Clerk/", "/v1/models/Clerk"),
        ("/v1/chat/completions/models", "/v1/models"),
        ("/responses", "/v1/responses"),
        ("/v1/responses/", "/v1/responses"),
        ("/v1/v1/responses/resp_A/cancel", "/v1/responses/resp_A/cancel"),
        ("/responses/resp_1/input_items/", "/v1/responses/resp_1/input_items"),
        ("/embeddings", "/v1/embeddings"),
        ("/api/embeddings/", "/v1/embeddings"),
        ("/v1/embedding", "/v1/embeddings"),
    ],
)
def test_the_address_that_was_meant_is_named(path: str, right: str) -> None:
    assert (is_openai(path), meant(path)) == (True, right)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/audio/speech", "/v1/files", "/v1/responses/r/nothing"])
def test_no_address_is_named_where_there_is_none(path: str) -> None:
    assert (is_openai(path), meant(path)) == (True, None)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/nothing", "/favicon.ico", "/api/nothing", "/api/v1/mcp-tools", "/api/v1/mcp-tools/1/models"),
        *("/admin/assistants/models/", "/admin/v1/models", "/health/", "/v1x", "*"),
    ],
)
def test_other_addresses_are_not_taken_for_it(path: str) -> None:
    assert not is_openai(path)


@pytest.mark.parametrize(
    "path", ["/models" * 9_000 + "\n", "/chat" * 12_000, "/responses/a" * 5_000 + "/b/c/d"]
)
def test_a_long_path_costs_no_time(path: str) -> None:
    began = time.process_time()
    meant(path)
    is_openai(path)
    assert time.process_time() - began < 1
