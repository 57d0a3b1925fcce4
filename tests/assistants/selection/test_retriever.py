"""The tools that a retriever selects, with a search that returns scripted hits."""

import time
from typing import Any

import django.db
import pytest

from assistants.events import Candidate
from assistants.selection.context import SelectionContext, ToolSelection
from assistants.selection.retriever import Retriever
from tests.assistants.selection.conftest import MAPS, TIME, ScriptedSearch, functions, selecting


def retriever(*args: Any, query: str = "noon", **changes: Any) -> Retriever:
    fields = {"server_ids": {1, 2}, "max_tools": 128, **changes}
    return Retriever(SelectionContext(selecting(*args, **fields.pop("assistant", {})), query=query, **fields))


def names(selection: ToolSelection | None) -> list[str]:
    assert selection is not None
    return [tool.function.name for tool in selection.in_stable_order]


async def test_the_best_k_hits_are_selected(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__c", "time__a", "time__d", "time__b"]
    selection = await retriever(*functions(*"abcde"), assistant={"top_k": 3}).select()
    assert names(selection) == ["a", "c", "d"]
    assert selection is not None
    assert (selection.event.k, selection.event.cutoff, selection.event.embedder) == (3, 0.98, "tiny")
    assert Candidate("time__b", "ranked", 0.97, chosen=False) in selection.event.candidates


async def test_pinned_tools_come_first_and_do_not_count_in_k(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__pin", "time__a", "time__b"]
    tools = [*functions(*"ab"), *functions("pin", is_pinned=True)]
    selection = await retriever(*tools, assistant={"top_k": 1}).select()
    assert names(selection) == ["pin", "a"]
    assert selection is not None
    assert selection.event.candidates[0] == Candidate("time__pin", "pinned", 1.0, chosen=True)


async def test_tools_that_the_conversation_has_used_stay(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__a", "time__b"]
    selection = await retriever(
        *functions(*"abz"), assistant={"top_k": 1}, used=["time__z", "gone__x"]
    ).select()
    assert names(selection) == ["a", "z"]


async def test_a_forced_tool_comes_before_all_others(found: ScriptedSearch) -> None:
    tools = [*functions("pin", is_pinned=True), *functions("z")]
    budget = tools[1].tokens + 2
    selection = await retriever(*tools, forced="time__z", assistant={"schema_token_budget": budget}).select()
    assert names(selection) == ["z"]


async def test_the_budget_holds_whatever_k_is(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number}" for number in range(100)))
    found.answers["noon"] = [each.public_name for each in tools]
    selection = await retriever(*tools, assistant={"top_k": 100, "schema_token_budget": 500}).select()
    assert selection is not None
    assert 400 < selection.event.tokens <= 500 == selection.event.budget
    assert selection.event.tokens == sum(tool.tokens for tool in selection.tools)
    assert selection.event.tokens_all == sum(each.tokens for each in tools)


async def test_pinned_tools_are_within_the_budget_too(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number}" for number in range(60)), is_pinned=True)
    selection = await retriever(*tools, assistant={"schema_token_budget": 500}).select()
    assert selection is not None
    assert selection.event.tokens <= 500
    assert sum(not each.chosen for each in selection.event.candidates) > 10


async def test_no_more_tools_are_selected_than_the_callers_own_leave_to_us(found: ScriptedSearch) -> None:
    tools = functions(*"abcdef")
    found.answers["noon"] = [each.public_name for each in tools]
    assert len(names(await retriever(*tools, max_tools=2).select())) == 2
    assert names(await retriever(*tools, max_tools=0).select()) == []


async def test_the_selection_stays_while_the_model_asks_for_nothing_new(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__a"]
    retrieving = retriever(*functions(*"ab"))
    assert await retrieving.select()
    assert await retrieving.select("", ["time__a"]) is None
    assert found.asked == ["noon"]


async def test_the_intent_is_searched_for_and_the_request_not_again(
    found: ScriptedSearch,
) -> None:
    found.answers |= {"noon": ["time__a", "time__b", "time__c"], "Where is it?": ["maps__x", "maps__y"]}
    retrieving = retriever(*functions(*"abc"), *functions(*"xy", server=MAPS), assistant={"top_k": 3})
    assert names(await retrieving.select()) == ["a", "b", "c"]
    assert set(names(await retrieving.select("Where is it?", ["time__a"]))) == set("abxy")
    assert await retrieving.select("Where is it?") is None
    assert found.asked == ["noon", "Where is it?"]


async def test_an_intent_that_finds_nothing_takes_no_tool_away(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__c", "time__d"]
    retrieving = retriever(*functions(*"abcd"), assistant={"top_k": 2})
    await retrieving.select()
    assert names(await retrieving.select("Make me a sandwich")) == ["c", "d"]


async def test_the_hits_of_intent_and_request_are_interleaved(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a", "time__b", "time__c"], "map": ["time__x", "time__a", "time__y"]}
    retrieving = retriever(*functions(*"abcxy"), assistant={"top_k": 3})
    await retrieving.select()
    assert names(await retrieving.select("map")) == ["a", "b", "x"]


async def test_tools_that_the_run_has_called_stay(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a", "time__b"], "map": ["time__x", "time__y"]}
    retrieving = retriever(*functions(*"abxy"), assistant={"top_k": 1})
    assert names(await retrieving.select()) == ["a"]
    assert names(await retrieving.select("map", ["time__a"])) == ["a", "x"]


async def test_a_tool_name_that_the_model_made_up_is_searched_for(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a"], "find Place": ["maps__find"]}
    retrieving = retriever(*functions("a"), *functions("find", server=MAPS))
    await retrieving.select()
    assert names(await retrieving.select("", ["findPlace"])) == ["find", "a"]


async def test_a_tool_that_the_model_called_without_being_given_it_is_selected_next(
    found: ScriptedSearch,
) -> None:
    found.answers["noon"] = ["time__a"]
    retrieving = retriever(*functions(*"az"), assistant={"top_k": 1})
    await retrieving.select()
    selection = await retrieving.select("", ["time__z"])
    assert names(selection) == ["a", "z"]
    assert selection is not None
    assert Candidate("time__z", "named", None, chosen=True) in selection.event.candidates
    assert found.asked == ["noon"]


async def test_a_search_covers_only_callable_servers_and_the_functions_chosen_of_them(
    found: ScriptedSearch,
) -> None:
    narrowed = type(TIME)(1, "Time", "time", narrowed_to=frozenset("ab"))
    changes = {"assistant": {"servers": (narrowed, MAPS)}, "server_ids": {1}}
    found.answers["noon"] = ["time__a"]
    tools = [*functions(*"ab"), *functions("x", server=MAPS, is_pinned=True)]
    assert names(await retriever(*tools, used=["maps__x"], **changes).select()) == ["a"]
    [scope] = found.scopes
    assert (scope.server_ids, scope.narrowed) == ({1}, {1: {"a", "b"}})


@pytest.mark.parametrize("learns", [True, False])
async def test_only_an_assistant_that_learns_is_searched_with_its_feedback(
    found: ScriptedSearch, learns: bool
) -> None:
    await retriever(*functions("a"), assistant={"learns": learns}).select()
    assert found.scopes[0].used_by == (1 if learns else None)


async def test_a_degraded_search_is_reported(found: ScriptedSearch) -> None:
    found.answers["noon"], found.degraded = ["time__b"], "The embedder hangs."
    selection = await retriever(*functions(*"ab")).select()
    assert names(selection) == ["b"]
    assert selection is not None
    assert selection.event.degraded == "The embedder hangs."


@pytest.mark.parametrize("failure", [django.db.OperationalError("gone"), ValueError("a bug"), TimeoutError()])
async def test_when_the_search_fails_pinned_tools_and_the_first_by_name_are_selected(
    found: ScriptedSearch, failure: Exception
) -> None:
    found.failure = failure
    tools = [*functions(*"edcba"), *functions("pin", is_pinned=True)]
    selection = await retriever(*tools, assistant={"top_k": 2}).select()
    assert names(selection) == ["pin", "a", "b"]
    assert selection is not None
    assert selection.event.degraded
    assert selection.event.cutoff is None
    assert Candidate("time__a", "listed", None, chosen=True) in selection.event.candidates


async def test_a_search_that_hangs_is_given_up_after_a_second(found: ScriptedSearch) -> None:
    found.delay_s = 30
    began = time.monotonic()
    assert names(await retriever(*functions("a")).select()) == ["a"]
    assert 0.9 < time.monotonic() - began < 15


@pytest.mark.parametrize(("query", "asked"), [("", []), ("🦊🦊", ["🦊🦊"])])
async def test_a_query_that_finds_nothing_selects_the_first_tools_by_name(
    found: ScriptedSearch, query: str, asked: list[str]
) -> None:
    selection = await retriever(*functions(*"ab"), query=query, assistant={"top_k": 1}).select()
    assert names(selection) == ["a"]
    assert found.asked == asked


async def test_a_hit_that_the_assistant_does_not_have_is_left_out(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["other__a", "time__a"]
    assert names(await retriever(*functions("a")).select()) == ["a"]


async def test_as_many_hits_are_asked_for_as_can_be_selected(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number:03}" for number in range(200)), is_pinned=False)
    await retriever(*tools, assistant={"top_k": 128}, used=["time__f001"]).select()
    assert found.limits == [129]
