"""The embedder that needs no service: all-MiniLM-L6-v2 in this process."""

import asyncio
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools.search import embedder
from tools.search.embedder import Embedder, EmbedderFailed, minilm
from tools.search.embedder.caching import CachingEmbedder
from tools.search.embedder.minilm import MiniLM

HERE = Path(__file__).parent
# By the same weights in 32 bits: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
REFERENCES = json.loads((HERE / "minilm_vectors.json").read_text())


@pytest.fixture(scope="module")
def embedding() -> Embedder:
    return MiniLM()


def cosine(a: list[float], b: list[float]) -> float:
    return (
        math.sumprod(a, b) if sys.version_info >= (3, 12) else sum(x * y for x, y in zip(a, b, strict=True))
    )


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference["text"][:8])
def test_its_vectors_are_those_of_the_model(embedding: Embedder, reference: dict[str, object]) -> None:
    [vector] = embedding.embed_documents([reference["text"]])
    # The weights have 8 bits, and processors differ in how they round: 0.9866 was the least that one showed.
    assert cosine(vector, reference["vector"]) > 0.98
    assert math.hypot(*vector) == pytest.approx(1)
    assert len(vector) == embedding.dimensions == 384


async def test_texts_of_the_same_meaning_lie_close_together(embedding: Embedder) -> None:
    mail, letter, weather = await embedding.embed_query(
        ["send an email", "mail a letter", "weather in Paris"]
    )
    assert cosine(mail, letter) > 0.5
    assert cosine(mail, weather) < 0.2


async def test_the_vector_of_a_text_does_not_depend_on_the_texts_beside_it(embedding: Embedder) -> None:
    others = ["short", "a text that is a good deal longer than the other ones " * 9, "delete a letter"]
    [alone] = await embedding.embed_query(["create an invoice"])
    for beside in ([others[0]], [others[1]], [others[2]], others, others * 9):
        among = await asyncio.to_thread(embedding.embed_documents, [*beside, "create an invoice", *beside])
        assert among[len(beside)] == pytest.approx(alone, abs=1e-6)


def test_vectors_are_in_the_order_of_their_texts(embedding: Embedder) -> None:
    texts = [f"{'very ' * (number % 5)}good letter {number}" for number in range(23)]
    together = embedding.embed_documents(texts)
    for text, vector in zip(texts, together, strict=True):
        assert embedding.embed_documents([text])[0] == pytest.approx(vector, abs=1e-6)


def test_256_tokens_of_a_text_count(embedding: Embedder) -> None:
    page, with_an_end, book, longer_book = embedding.embed_documents(
        ["word " * 200, "word " * 200 + "invoice", "word " * 300, "word " * 300 + "invoice"]
    )
    assert page != with_an_end
    assert book == longer_book


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800", "🎉🎊", "明日の東京の天気", "\u202e\ufeff", "ﷺ" * 5_000]
)
async def test_any_text_has_a_vector(embedding: Embedder, text: str) -> None:
    [vector] = await CachingEmbedder(embedding).embed_query([text])
    assert math.hypot(*vector) == pytest.approx(1)


@pytest.mark.parametrize("text", ["x" * 1_000_000, "word " * 200_000, "天" * 1_000_000, "!" * 1_000_000])
def test_a_megabyte_takes_no_longer_than_a_page(embedding: Embedder, text: str) -> None:
    began = time.process_time()
    assert CachingEmbedder(embedding).embed_documents([text])
    assert time.process_time() - began < 3


async def test_queries_do_not_wait_for_documents(embedding: Embedder) -> None:
    await embedding.embed_query(["loaded before"])
    documents = asyncio.create_task(asyncio.to_thread(embedding.embed_documents, ["long " * 250] * 60))
    await asyncio.sleep(0.05)
    for number in range(5):
        await embedding.embed_query([f"query {number}"])
    assert not documents.done()
    assert len(await documents) == 60


@pytest.mark.skipif(sys.platform != "linux", reason="only there a thread has a niceness of its own")
def test_documents_have_a_lower_priority(embedding: Embedder) -> None:
    embedding.embed_documents(["one"])
    asyncio.run(embedding.embed_query(["one"]))
    niceness = {
        thread.name.rpartition("_")[0]: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
        for thread in threading.enumerate()
        if thread.name.startswith("embed-")
    }
    assert niceness["embed-documents"] >= niceness["embed-queries"] + 10 or niceness["embed-documents"] == 19


# Whatever asks for an address, a socket or a package outside the product fails.
OFFLINE = """
import asyncio, sys, django
django.setup()
from tools.search import embedder
embedder.caching.QUERY_DEADLINE_S = 90
active = embedder.active()
heavy = {"numpy", "onnx", "onnxruntime", "tokenizers", "torch"}
assert not heavy & sys.modules.keys(), "loaded before it is asked"
def refuse(event, arguments):
    if event.startswith("socket.") and event not in {"socket.__new__"}:
        raise RuntimeError(f"It uses the network: {event}")
loop = asyncio.new_event_loop()
sys.addaudithook(refuse)
print(len(loop.run_until_complete(active.embed_query(["hello"]))[0]))
assert heavy - sys.modules.keys() == {"torch"}
"""


def test_the_model_is_loaded_at_the_first_request_and_needs_neither_network_nor_torch() -> None:
    environment = {**os.environ, "EMBEDDING_BASE_URL": ""}
    command = [sys.executable, "-W", "error", "-c", OFFLINE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert (done.stdout, done.stderr) == ("384\n", "")


def test_torch_is_not_installed() -> None:
    assert find_spec("torch") is None


@pytest.fixture
def nothing_cached() -> Iterator[None]:
    embedder._embedder.cache_clear()
    yield
    embedder._embedder.cache_clear()


def test_without_its_packages_there_is_no_embedder(
    monkeypatch: pytest.MonkeyPatch, nothing_cached: None
) -> None:
    monkeypatch.setattr(minilm, "NEEDED", ("onnxruntime", "no_such_package_41"))
    assert embedder.active() is None


async def test_a_broken_installation_is_a_failure_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken_minilm").mkdir()
    (tmp_path / "broken_minilm" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tools.search.embedder.minilm.model.PACKAGE", "broken_minilm")
    with pytest.raises(EmbedderFailed, match="MiniLM failed in this process"):
        await MiniLM().embed_query(["one"])
    assert "MiniLM failed" in caplog.text
