"""How rare the words of a request are in a scope, as a process remembers it."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from core import feed, reading
from tests.connector.conftest import orm, wait_for
from tests.tools.search.conftest import index_all, offer
from tools.models import MCPTool, WordCount
from tools.search import bm25, frequencies

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("servers")]
RAIN, MAIL, UNKNOWN = (bm25.dimension(word) for word in ("rain", "mail", "unheard"))


@pytest.fixture
async def sent(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """A process that remembers; the words that it reads."""
    read, sent = reading.fetch, list[str]()

    async def fetch(statement: str, given: dict[str, str]) -> reading.Rows:
        sent.append(given["words"])
        return await read(statement, given)

    monkeypatch.setattr(reading, "fetch", fetch)
    async with feed.listening(), reading.lifespan():
        await wait_for(lambda: feed.max_age() > feed.BLIND_MAX_AGE_S)
        yield sent


async def rarity(word: int, scope: frozenset[int] | None = None) -> float:
    return (await frequencies.rarities(frozenset([word]), scope))[word]


async def test_words_are_as_rare_as_they_are_in_the_scope(servers: dict[str, MCPTool]) -> None:
    clouds = frozenset([servers["clouds"].pk])
    assert await rarity(RAIN) == bm25.rarity(1, 6)
    assert await rarity(RAIN, clouds) == bm25.rarity(1, 2)
    assert await rarity(MAIL, clouds) == await rarity(UNKNOWN, clouds) == bm25.rarity(0, 2)


async def test_a_word_is_read_once_for_a_scope(servers: dict[str, MCPTool], sent: list[str]) -> None:
    scope = frozenset([servers["clouds"].pk])
    for words in ({RAIN, UNKNOWN}, {RAIN}, {RAIN, MAIL}, {MAIL, UNKNOWN}):
        assert words <= (await frequencies.rarities(frozenset(words), scope)).keys()
    await rarity(RAIN)
    every = WordCount.EVERY
    assert [{*json.loads(f"[{words.strip('{}')}]")} for words in sent] == [
        {every, RAIN, UNKNOWN},
        {MAIL},
        {every, RAIN},
    ]


@pytest.mark.usefixtures("sent")
async def test_it_hears_of_what_was_indexed_since(servers: dict[str, MCPTool]) -> None:
    assert await rarity(RAIN) == bm25.rarity(1, 6)
    await orm(offer)(servers["post"], send="Sends mail, or rain")
    await orm(index_all)()
    async with asyncio.timeout(10):
        while await rarity(RAIN) != bm25.rarity(2, 5):
            await asyncio.sleep(0.02)


async def test_without_a_lifespan_nothing_is_remembered(servers: dict[str, MCPTool]) -> None:
    assert await rarity(RAIN) == bm25.rarity(1, 6)
    await orm(offer)(servers["post"], send="Sends mail, or rain")
    await orm(index_all)()
    assert await rarity(RAIN) == bm25.rarity(2, 5)


async def test_a_bounded_number_of_words_is_remembered(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frequencies, "_MOST_WORDS", 2)
    for word in (RAIN, MAIL, UNKNOWN, 5, 6, 7):
        assert await rarity(word)
    assert len((await frequencies._scopes.get(None)).rarities) <= 3
    assert await rarity(RAIN) == bm25.rarity(1, 6)


async def test_counts_that_are_read_while_they_change_break_nothing() -> None:
    await orm(WordCount.objects.filter(word=WordCount.EVERY).delete)()
    assert await rarity(RAIN) == bm25.rarity(0, 0) > 0
