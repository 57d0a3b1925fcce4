"""A service that is down or slow: queries fail soon, documents are retried."""

import asyncio
import logging
import time

import pytest

from config.runner.network import free_port
from tests.tools.search.embedder.conftest import at, failure_of
from tests.tools.search.embedding_service import CANARY, REFUSAL, EmbeddingService, Reply, vectors
from tools.search.embedder import Embedder, EmbedderFailed, caching, remote

HANGS = Reply(body=b"{}", slowness=30)
NOT_IN_TIME = "The embedder did not answer in time."


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the deadlines of the product."""
    monkeypatch.setattr(caching, "QUERY_DEADLINE_S", 0.6)
    monkeypatch.setattr(remote, "RETRY_FOR_S", 5)
    monkeypatch.setattr(remote, "_ATTEMPT_S", 1.5)
    monkeypatch.setattr(remote, "_FIRST_PAUSE_S", 0.05)


async def test_a_service_that_does_not_listen_cannot_be_reached() -> None:
    assert await failure_of(at(f"http://127.0.0.1:{free_port()}/v1")) == "The embedder cannot be reached."


async def test_a_metadata_service_is_refused_even_if_the_settings_name_it() -> None:
    assert await failure_of(at("http://169.254.169.254/v1")) == "The embedder cannot be reached."


async def test_a_key_that_no_header_can_carry_is_a_failure_with_a_reason(service: EmbeddingService) -> None:
    embedding = at(service.url, api_key=f"{CANARY}\nx: y")
    assert await failure_of(embedding) == "The connection to the embedder broke."
    assert not service.bodies


@pytest.mark.parametrize("slowness", [30, 0.2], ids=["silent", "a byte at a time"])
async def test_a_query_waits_no_longer_than_its_deadline(
    service: EmbeddingService, embedding: Embedder, monkeypatch: pytest.MonkeyPatch, slowness: float
) -> None:
    monkeypatch.setattr(caching, "QUERY_DEADLINE_S", 0.6)
    service.next = [Reply(body=b" " * 100, slowness=slowness)]
    began = time.monotonic()
    assert await failure_of(embedding) == NOT_IN_TIME
    assert 0.5 < time.monotonic() - began < 15


async def test_after_three_failures_queries_fail_at_once_for_a_while(
    service: EmbeddingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "REST_S", 3)
    embedding = at(service.url)
    service.reply = lambda _: Reply(503)
    for number in range(6):
        assert await failure_of(embedding, f"{number}") == "The embedder failed (503)."
    assert len(service.bodies) == 3
    service.reply = lambda _: vectors([1.0, 0.0])
    await asyncio.sleep(3.1)
    assert await embedding.embed_query(["at last"])
    service.next = [Reply(503), Reply(503)]
    await failure_of(embedding, "once")
    await failure_of(embedding, "twice")
    assert await embedding.embed_query(["and again"])


async def test_callers_who_give_up_late_count_as_failures(
    service: EmbeddingService, embedding: Embedder
) -> None:
    service.reply = lambda _: HANGS
    for number in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await embedding.embed_query([f"{number}"])
    assert await failure_of(embedding) == NOT_IN_TIME
    assert len(service.bodies) == 3


async def test_callers_who_leave_early_do_not_count_as_failures(
    service: EmbeddingService, embedding: Embedder
) -> None:
    service.next = [HANGS] * 4
    for number in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await embedding.embed_query([f"{number}"])
    assert await embedding.embed_query(["patient"])


async def test_refused_requests_do_not_count_as_failures(
    service: EmbeddingService, embedding: Embedder
) -> None:
    service.next = [Reply(400)] * 4
    for number in range(4):
        await failure_of(embedding, f"{number}")
    assert await embedding.embed_query(["a better one"])


@pytest.mark.parametrize(
    "failure", [Reply(429), Reply(500), Reply(503, headers={"retry-after": "soon"}), HANGS], ids=str
)
def test_documents_are_sent_again_after_a_failure_that_may_pass(
    service: EmbeddingService, embedding: Embedder, hurried: None, failure: Reply
) -> None:
    service.next = [failure, failure]
    assert len(embedding.embed_documents(["one", "two"])) == 2
    assert len(service.bodies) == 3


def test_documents_wait_as_long_as_the_service_asks(service: EmbeddingService, embedding: Embedder) -> None:
    service.next = [Reply(429, headers={"retry-after": "1"})]
    began = time.monotonic()
    assert embedding.embed_documents(["one"])
    assert 1 <= time.monotonic() - began < 15


@pytest.mark.parametrize("failure", [Reply(429), HANGS], ids=str)
def test_documents_are_not_retried_for_ever(
    service: EmbeddingService, embedding: Embedder, hurried: None, failure: Reply
) -> None:
    service.reply = lambda _: failure
    began = time.monotonic()
    with pytest.raises(EmbedderFailed, match=r"limits the rate|in time"):
        embedding.embed_documents(["one"])
    assert time.monotonic() - began < 20
    assert 2 <= len(service.bodies) < 10


@pytest.mark.parametrize(
    "failure", [Reply(401), vectors(), Reply(429, headers={"retry-after": "3600"})], ids=str
)
def test_documents_are_not_retried_after_a_permanent_failure(
    service: EmbeddingService, embedding: Embedder, failure: Reply
) -> None:
    service.reply = lambda _: failure
    with pytest.raises(EmbedderFailed):
        embedding.embed_documents(["one"])
    assert len(service.bodies) == 1


def test_the_log_of_a_retry_does_not_quote_the_service(
    service: EmbeddingService, embedding: Embedder, hurried: None, caplog: pytest.LogCaptureFixture
) -> None:
    service.next = [Reply(500, REFUSAL)]
    with caplog.at_level(logging.DEBUG, logger="tools"):
        embedding.embed_documents(["a secret document"])
    assert "The embedder failed (500)." in caplog.text
    assert CANARY not in caplog.text
    assert "secret" not in caplog.text
