"""What a selection searches by: names and scores alone, of tools that it knows."""

from collections.abc import Callable, Collection, Container, Sequence

import pytest
from asgiref.sync import async_to_sync

from tests.tools.search.conftest import BY, function, index_all, offer, search
from tools import actions
from tools.functions import actions as function_actions
from tools.models import Approval, FunctionUse, MCPTool, ToolFunction
from tools.search import EVERYTHING, Ranking, Scope, rank, sql

pytestmark = pytest.mark.django_db(transaction=True)
WEATHER = "Will it rain?"
SEVERAL = "Read the letter in my inbox, and then remove the file about the weather from the folder"


class _All:
    def __contains__(self, name: object) -> bool:
        return True


def ranked(
    query: str, scope: Scope = EVERYTHING, *, limit: int = 10, known: Container[str] = _All()
) -> Ranking:
    return async_to_sync(rank)(query, scope, limit=limit, known=known)


def names(ranking: Ranking) -> Sequence[str]:
    return [hit.public_name for hit in ranking.hits]


def scored(query: str, scope: Scope = EVERYTHING) -> list[tuple[str, float]]:
    return [(hit.public_name, hit.score) for hit in search(query, scope).hits]


@pytest.mark.parametrize("query", [WEATHER, SEVERAL, "letter", "🌧️"])
def test_it_has_the_order_and_the_scores_of_a_search(servers: dict[str, MCPTool], query: str) -> None:
    found = scored(query)
    assert found
    assert list(ranked(query).hits) == found


def test_it_prefers_what_was_used_for_similar_requests(servers: dict[str, MCPTool]) -> None:
    scope = Scope(None, used_by=7)
    request = function("forecast").embedding
    FunctionUse.objects.create(
        function=function("wind"),
        used_by=7,
        uses=50,
        requests=[50 * number for number in request],
        embedder=search(WEATHER).embedder,
    )
    boosted, plain = dict(ranked(WEATHER, scope).hits), dict(ranked(WEATHER).hits)
    assert boosted["clouds__wind"] - plain["clouds__wind"] > 0.02
    assert list(ranked(WEATHER, scope).hits) == scored(WEATHER, scope)


def unapproved(server: MCPTool) -> Collection[str]:
    actions.update(server, by=BY, approval=Approval.PINNED)
    offer(server, forecast="The weather: rain? Ask me.", wind="The weather: rain and wind")
    return ["post__send", "post__read", "disk__remove", "disk__list"]


def removed(server: MCPTool) -> Collection[str]:
    offer(server, wind="Speed and direction of the air")
    return ["clouds__forecast", "clouds__wind"]  # what is known may be older than the index


def disabled(server: MCPTool) -> Collection[str]:
    function_actions.update(function("forecast"), by=BY, is_enabled=False)
    return ["clouds__forecast", "clouds__wind"]


@pytest.mark.parametrize("hide", [unapproved, removed, disabled])
@pytest.mark.parametrize("is_indexed", [False, True])
def test_it_finds_none_that_is_not_known_and_none_that_is_gone(
    servers: dict[str, MCPTool], hide: Callable[[MCPTool], Collection[str]], is_indexed: bool
) -> None:
    known = hide(servers["clouds"])
    if is_indexed:
        index_all()
    found = names(ranked(WEATHER, known=known))
    assert found
    assert set(found) <= {*known} - {"clouds__forecast"}


@pytest.mark.parametrize("limit", [1, 2])
def test_what_is_not_known_takes_no_place_of_others(
    servers: dict[str, MCPTool], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(sql, "SPARE_UNAPPROVED", 1)
    known = unapproved(servers["clouds"])
    index_all()
    found = names(ranked("weather rain", limit=limit, known=known))
    assert len(found) == limit
    assert set(found) <= {*known}


def test_tools_that_are_not_embedded_yet_are_found_by_words(servers: dict[str, MCPTool]) -> None:
    offer(servers["disk"], remove="Removes a file", list="Lists a folder", shred="Shreds a ledger")
    index_all()
    ToolFunction.objects.filter(name="shred").update(embedding=None, embedder="")
    found = ranked("ledger")
    assert "disk__shred" in names(found)
    assert found.degraded


def test_tools_in_scope_may_be_named(servers: dict[str, MCPTool]) -> None:
    offer(servers["post"], send="Sends mail", read="Reads a letter", **{'a "b", {c}\\d': "Burns a letter"})
    index_all()
    post, clouds = servers["post"].pk, servers["clouds"].pk
    named = {post: frozenset(["read", 'a "b", {c}\\d']), clouds: frozenset(["send", "wind"])}
    scope = Scope(frozenset(named), named)
    expected = {"read", 'a "b", {c}\\d', "wind"}
    assert {hit.function for hit in search("letter", scope).hits} == expected
    assert {*ranked("letter", scope).hits} == {*scored("letter", scope)}


def test_a_blank_query_and_an_empty_scope_rank_nothing(servers: dict[str, MCPTool]) -> None:
    assert not ranked(" ").hits
    assert not ranked(WEATHER, Scope(frozenset())).hits
