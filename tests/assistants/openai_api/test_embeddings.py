"""Embeddings go through to the embedder."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import pytest

from apikeys.actions import IssuedKey
from config.runner.network import free_port
from tests.assistants.openai_api.conftest import error_of
from tests.stack import Stack, readiness, wait_for

CANARY = "sk-embedder-4410"


class Embedder(BaseHTTPRequestHandler):
    asked: list[tuple[str, dict[str, Any]]] = []
    status = 200
    answer: bytes | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((f"{self.path} {self.headers['authorization']}", body))
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 0.5]}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        answer = {"object": "list", "data": data, "model": body["model"], "usage": usage}
        refusal = {"error": {"message": f"wrong key {CANARY}"}}
        self.send_response(self.status)
        self.end_headers()
        if self.answer is not None:
            self.wfile.write(self.answer)
            return
        self.wfile.write(json.dumps(answer if self.status == 200 else refusal).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url(stack: Stack) -> Iterator[str]:
    """A web process that has an embedder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Embedder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {
        "EMBEDDING_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1",
        "EMBEDDING_API_KEY": CANARY,
        "EMBEDDING_MODEL": "tiny",
    }
    port = free_port()
    running = stack.start_process("web-of-embeddings", stack.web_command(port), **settings)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: readiness(url) == "ok", within_s=20)
    yield url
    running.stop(timeout_s=10)
    server.shutdown()
    server.server_close()


@pytest.fixture
def embedding(url: str, key: IssuedKey) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=key.key, base_url=f"{url}/v1", max_retries=0, timeout=20) as client:
        yield client


def test_texts_are_embedded(embedding: openai.OpenAI) -> None:
    answer = embedding.embeddings.create(model="any", input=["one", "three"], encoding_format="float")
    assert [each.embedding for each in answer.data] == [[3.0, 0.5], [5.0, 0.5]]
    assert answer.usage.total_tokens == 5
    path, body = Embedder.asked[-1]
    assert path == f"/v1/embeddings Bearer {CANARY}"
    assert body == {"model": "tiny", "input": ["one", "three"], "encoding_format": "float"}


def test_both_addresses_answer(url: str, key: IssuedKey) -> None:
    headers = {"authorization": f"Bearer {key.key}"}
    response = httpx.post(f"{url}/api/v1/embeddings", json={"model": "m", "input": "one"}, headers=headers)
    assert response.json()["data"][0]["embedding"] == [3.0, 0.5]


def test_what_it_uses_counts_against_the_budget(stack: Stack, url: str) -> None:
    key = stack.key("embedding-budget", tokens_per_month=5)
    headers = {"authorization": f"Bearer {key.key}"}
    request = {"model": "m", "input": "one"}
    assert httpx.post(f"{url}/v1/embeddings", json=request, headers=headers).status_code == 200
    response = httpx.post(f"{url}/v1/embeddings", json=request, headers=headers)
    assert error_of(response)["code"] == "insufficient_quota"


def test_an_embedder_that_refuses_is_reported_by_its_status_alone(
    embedding: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedder, "status", 401)
    with pytest.raises(openai.InternalServerError) as failed:
        embedding.embeddings.create(model="any", input="one")
    assert failed.value.code == "upstream_auth_error"
    assert CANARY not in str(failed.value)


def test_without_an_embedder_it_says_so(http: httpx.Client) -> None:
    response = http.post("/v1/embeddings", json={"model": "m", "input": "one"})
    assert (response.status_code, error_of(response)["code"]) == (404, "no_embedder")


@pytest.mark.parametrize("wrong", [{}, {"input": []}, {"input": [1, "a"]}, {"input": "a", "dimensions": 0}])
def test_what_makes_no_sense_is_refused(http: httpx.Client, wrong: dict[str, Any]) -> None:
    response = http.post("/v1/embeddings", json={"model": "m", **wrong})
    assert (response.status_code, error_of(response)["type"]) == (400, "invalid_request_error")


NUMBERS = b"0.123456789,"


def test_a_large_answer_goes_back_as_it_came(stack: Stack, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = b'{"data":[{"embedding":[' + NUMBERS * 100_000 + b'1]}],"usage":{"total_tokens": 7}}'
    monkeypatch.setattr(Embedder, "answer", embeddings)
    key = stack.key("embedding-large", tokens_per_month=7)
    headers = {"authorization": f"Bearer {key.key}"}
    request = {"model": "m", "input": "one"}
    assert httpx.post(f"{url}/v1/embeddings", json=request, headers=headers).content == embeddings
    response = httpx.post(f"{url}/v1/embeddings", json=request, headers=headers)
    assert error_of(response)["code"] == "insufficient_quota"


@pytest.mark.parametrize("answer", [b"[" + NUMBERS * 100_000 + b"1]", b'{"data":[' + NUMBERS * 100_000])
def test_a_large_answer_that_is_none_is_refused(
    url: str, key: IssuedKey, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(Embedder, "answer", answer)
    headers = {"authorization": f"Bearer {key.key}"}
    response = httpx.post(f"{url}/v1/embeddings", json={"model": "m", "input": "one"}, headers=headers)
    assert (response.status_code, error_of(response)["code"]) == (502, "upstream_invalid_response")
