"""Which tools a choice gives, with a search that finds what the test says."""

import time
from typing import Any

import django.db
import pytest

from assistants.events import Candidate
from assistants.selection.context import Choice, Situation
from assistants.selection.retriever import Chooser
from tests.assistants.selection.conftest import MAPS, TIME, ScriptedSearch, functions, selecting


def chooser(*args: Any, said: str = "noon", **changes: Any) -> Chooser:
    fields = {"server_ids": {1, 2}, "room": 128, **changes}
    return Chooser(Situation(selecting(*args, **fields.pop("assistant", {})), said=said, **fields))


def names(choice: Choice | None) -> list[str]:
    assert choice is not None
    return [offer.function.name for offer in choice.in_stable_order]


async def test_it_takes_the_best_k(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__c", "time__a", "time__d", "time__b"]
    choice = await chooser(*functions(*"abcde"), assistant={"top_k": 3}).choose()
    assert names(choice) == ["a", "c", "d"]
    assert choice is not None
    assert (choice.told.k, choice.told.cutoff, choice.told.embedder) == (3, 0.98, "tiny")
    assert Candidate("time__b", "ranked", 0.97, chosen=False) in choice.told.candidates


async def test_pinned_tools_come_first_and_beside_the_k(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__pin", "time__a", "time__b"]
    tools = [*functions(*"ab"), *functions("pin", is_pinned=True)]
    choice = await chooser(*tools, assistant={"top_k": 1}).choose()
    assert names(choice) == ["pin", "a"]
    assert choice is not None
    assert choice.told.candidates[0] == Candidate("time__pin", "pinned", 1.0, chosen=True)


async def test_what_the_conversation_used_stays(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__a", "time__b"]
    choice = await chooser(*functions(*"abz"), assistant={"top_k": 1}, used=["time__z", "gone__x"]).choose()
    assert names(choice) == ["a", "z"]


async def test_a_forced_tool_is_in_before_all_others(found: ScriptedSearch) -> None:
    tools = [*functions("pin", is_pinned=True), *functions("z")]
    budget = tools[1].tokens + 2
    choice = await chooser(*tools, forced="time__z", assistant={"schema_token_budget": budget}).choose()
    assert names(choice) == ["z"]


async def test_the_budget_holds_whatever_k_says(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number}" for number in range(100)))
    found.answers["noon"] = [each.public_name for each in tools]
    choice = await chooser(*tools, assistant={"top_k": 100, "schema_token_budget": 500}).choose()
    assert choice is not None
    assert 400 < choice.told.tokens <= 500 == choice.told.budget
    assert choice.told.tokens == sum(offer.tokens for offer in choice.offers)
    assert choice.told.tokens_all == sum(each.tokens for each in tools)


async def test_pinned_and_used_tools_keep_to_the_budget_too(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number}" for number in range(60)), is_pinned=True)
    choice = await chooser(*tools, assistant={"schema_token_budget": 500}).choose()
    assert choice is not None
    assert choice.told.tokens <= 500
    assert sum(not each.chosen for each in choice.told.candidates) > 10


async def test_the_callers_tools_leave_less_room(found: ScriptedSearch) -> None:
    tools = functions(*"abcdef")
    found.answers["noon"] = [each.public_name for each in tools]
    assert len(names(await chooser(*tools, room=2).choose())) == 2
    assert names(await chooser(*tools, room=0).choose()) == []


async def test_it_stays_as_it_was_while_nobody_asks_for_more(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__a"]
    choosing = chooser(*functions(*"ab"))
    assert await choosing.choose()
    assert await choosing.choose("", ["time__a"]) is None
    assert found.asked == ["noon"]


async def test_what_the_model_asks_for_is_searched_for_and_what_the_user_said_not_again(
    found: ScriptedSearch,
) -> None:
    found.answers |= {"noon": ["time__a", "time__b", "time__c"], "Where is it?": ["maps__x", "maps__y"]}
    choosing = chooser(*functions(*"abc"), *functions(*"xy", server=MAPS), assistant={"top_k": 3})
    assert names(await choosing.choose()) == ["a", "b", "c"]
    assert set(names(await choosing.choose("Where is it?", ["time__a"]))) == set("abxy")
    assert await choosing.choose("Where is it?") is None
    assert found.asked == ["noon", "Where is it?"]


async def test_asking_for_what_there_is_not_costs_nothing(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__c", "time__d"]
    choosing = chooser(*functions(*"abcd"), assistant={"top_k": 2})
    await choosing.choose()
    assert names(await choosing.choose("Make me a sandwich")) == ["c", "d"]


async def test_the_two_queries_take_turns(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a", "time__b", "time__c"], "map": ["time__x", "time__a", "time__y"]}
    choosing = chooser(*functions(*"abcxy"), assistant={"top_k": 3})
    await choosing.choose()
    assert names(await choosing.choose("map")) == ["a", "b", "x"]


async def test_what_the_run_has_called_stays(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a", "time__b"], "map": ["time__x", "time__y"]}
    choosing = chooser(*functions(*"abxy"), assistant={"top_k": 1})
    assert names(await choosing.choose()) == ["a"]
    assert names(await choosing.choose("map", ["time__a"])) == ["a", "x"]


async def test_a_tool_that_the_model_made_up_is_searched_for(found: ScriptedSearch) -> None:
    found.answers |= {"noon": ["time__a"], "find Place": ["maps__find"]}
    choosing = chooser(*functions("a"), *functions("find", server=MAPS))
    await choosing.choose()
    assert names(await choosing.choose("", ["findPlace"])) == ["find", "a"]


async def test_a_tool_that_the_model_knows_by_name_is_there_in_the_next_round(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["time__a"]
    choosing = chooser(*functions(*"az"), assistant={"top_k": 1})
    await choosing.choose()
    choice = await choosing.choose("", ["time__z"])
    assert names(choice) == ["a", "z"]
    assert choice is not None
    assert Candidate("time__z", "named", None, chosen=True) in choice.told.candidates
    assert found.asked == ["noon"]


async def test_only_servers_that_can_be_called_are_searched_and_only_their_part(
    found: ScriptedSearch,
) -> None:
    narrowed = type(TIME)(1, "Time", "time", narrowed_to=frozenset("ab"))
    situation = {"assistant": {"servers": (narrowed, MAPS)}, "server_ids": {1}}
    found.answers["noon"] = ["time__a"]
    tools = [*functions(*"ab"), *functions("x", server=MAPS, is_pinned=True)]
    assert names(await chooser(*tools, used=["maps__x"], **situation).choose()) == ["a"]
    [scope] = found.scopes
    assert (scope.server_ids, scope.narrowed) == ({1}, {1: {"a", "b"}})


@pytest.mark.parametrize("learns", [True, False])
async def test_only_an_assistant_that_learns_is_helped_by_its_uses(
    found: ScriptedSearch, learns: bool
) -> None:
    await chooser(*functions("a"), assistant={"learns": learns}).choose()
    assert found.scopes[0].used_by == (1 if learns else None)


async def test_a_degraded_search_is_told_of(found: ScriptedSearch) -> None:
    found.answers["noon"], found.degraded = ["time__b"], "The embedder hangs."
    choice = await chooser(*functions(*"ab")).choose()
    assert names(choice) == ["b"]
    assert choice is not None
    assert choice.told.degraded == "The embedder hangs."


@pytest.mark.parametrize("failure", [django.db.OperationalError("gone"), ValueError("a bug"), TimeoutError()])
async def test_without_a_search_it_gives_the_pinned_and_the_first_by_name(
    found: ScriptedSearch, failure: Exception
) -> None:
    found.failure = failure
    tools = [*functions(*"edcba"), *functions("pin", is_pinned=True)]
    choice = await chooser(*tools, assistant={"top_k": 2}).choose()
    assert names(choice) == ["pin", "a", "b"]
    assert choice is not None
    assert choice.told.degraded
    assert choice.told.cutoff is None
    assert Candidate("time__a", "listed", None, chosen=True) in choice.told.candidates


async def test_a_search_that_hangs_holds_nobody_up(found: ScriptedSearch) -> None:
    found.delay_s = 30
    began = time.monotonic()
    assert names(await chooser(*functions("a")).choose()) == ["a"]
    assert 0.9 < time.monotonic() - began < 1.3


@pytest.mark.parametrize(("said", "asked"), [("", []), ("🦊🦊", ["🦊🦊"])])
async def test_a_request_that_finds_nothing_gets_the_first_by_name(
    found: ScriptedSearch, said: str, asked: list[str]
) -> None:
    choice = await chooser(*functions(*"ab"), said=said, assistant={"top_k": 1}).choose()
    assert names(choice) == ["a"]
    assert found.asked == asked


async def test_what_is_found_but_not_the_assistants_is_left_out(found: ScriptedSearch) -> None:
    found.answers["noon"] = ["other__a", "time__a"]
    assert names(await chooser(*functions("a")).choose()) == ["a"]


async def test_enough_is_asked_for_to_fill_every_place(found: ScriptedSearch) -> None:
    tools = functions(*(f"f{number:03}" for number in range(200)), is_pinned=False)
    await chooser(*tools, assistant={"top_k": 128}, used=["time__f001"]).choose()
    assert found.limits == [129]
