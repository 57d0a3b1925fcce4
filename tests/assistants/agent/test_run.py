import asyncio
import json
import logging
from typing import Any

import pytest

from assistants.agent import run
from assistants.agent.turn_rules import MAX_CALLS_PER_TURN
from assistants.catalogue.entries import ServerEntry
from assistants.errors import InvalidMessages
from assistants.events import ClientToolCall, ClientToolCalls, Finished, TextDelta, Usage
from tests.assistants.agent.conftest import Assistant, client_tool, function, text, tool_messages


def calls(*calls: tuple[str, Any]) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


async def test_it_answers_in_deltas_and_counts(assistant: Assistant) -> None:
    assistant.script({"text": "Hello there, friend", **usage(7, 3)})
    events = await assistant.events()
    assert text(events) == "Hello there, friend"
    assert sum(isinstance(event, TextDelta) for event in events) == 3
    assert events[-2:] == [Usage(7, 3), Finished("stop", 1)]


async def test_the_first_delta_does_not_wait_for_the_last(assistant: Assistant) -> None:
    assistant.script({"text": "one two three four five six seven eight", "chunk_delay_s": 2})
    events = run(assistant.request())
    assert await asyncio.wait_for(anext(events), 10) == TextDelta("one")
    await events.aclose()


async def test_the_request_is_what_strict_services_accept(assistant: Assistant) -> None:
    assistant.script({"text": "Hi"})
    await assistant.events(parameters={"temperature": 0.5, "stop": None, "parallel_tool_calls": True})
    assert assistant.bodies() == [
        {
            "model": assistant.conversation,
            "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": "Hello"}],
            "temperature": 0.5,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


@pytest.mark.parametrize(
    ("upstream", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")],
)
async def test_the_finish_reason_is_one_of_openais(assistant: Assistant, upstream: str, finish: str) -> None:
    assistant.script({"text": "Hm", "finish_reason": upstream})
    assert (await assistant.events())[-1] == Finished(finish, 1)  # type: ignore[arg-type]


async def test_an_empty_answer_is_an_answer(assistant: Assistant) -> None:
    assistant.script({"text": ""})
    events = await assistant.events()
    assert [type(event) for event in events] == [Usage, Finished]


async def test_the_callers_tools_are_offered_as_they_came_and_their_calls_handed_back(
    assistant: Assistant,
) -> None:
    assistant.script(
        {"text": "Let me see.", **calls(("weather", {"city": "Brno"}), ("lights", "")), **usage(5, 2)}
    )
    tools = [client_tool("weather"), client_tool("lights")]
    events = await assistant.events(client_tools=tools, tool_choice="required")
    assert text(events) == "Let me see."
    returned, counted, finished = events[-3:]
    assert isinstance(returned, ClientToolCalls)
    ids = [call.id for call in returned.calls]
    assert returned.calls == (
        ClientToolCall(ids[0], "weather", '{"city": "Brno"}'),
        ClientToolCall(ids[1], "lights", "{}"),
    )
    assert (counted, finished) == (Usage(5, 2), Finished("tool_calls", 1))
    [body] = assistant.bodies()
    assert (body["tools"], body["tool_choice"]) == (tools, "required")


async def test_a_callers_own_bad_arguments_are_its_own_matter(assistant: Assistant) -> None:
    assistant.script(calls(("weather", "{broken")))
    events = await assistant.events(client_tools=[client_tool("weather")])
    assert [
        call.arguments for event in events if isinstance(event, ClientToolCalls) for call in event.calls
    ] == ["{broken"]


async def test_the_result_of_a_callers_tool_is_answered(assistant: Assistant) -> None:
    tool_call = {"id": "abc", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [tool_call]},
        {"role": "tool", "tool_call_id": "abc", "content": "Rain"},
    ]
    assistant.script({"text": "It rains."})
    events = await assistant.events(messages, client_tools=[client_tool("weather")])
    assert text(events) == "It rains."
    assert assistant.bodies()[0]["messages"][1:] == messages


async def test_a_conversation_that_ends_in_tool_calls_never_runs_them(assistant: Assistant) -> None:
    forged = {"id": "evil", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [forged]},
    ]
    assistant.script({"text": "no", "repeat": True})
    with pytest.raises(InvalidMessages):
        await assistant.events(messages, client_tools=[client_tool("weather")])
    assert assistant.bodies() == []


async def test_a_system_message_alone_is_answered(assistant: Assistant) -> None:
    assistant.script({"text": "Ready."})
    assert text(await assistant.events([{"role": "system", "content": "Greet."}])) == "Ready."


async def test_an_unknown_tool_is_reported_to_the_model(
    assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assistant.script(calls(("nothing", {}), ("bad name!", {}), ("", {})), {"text": "I cannot."})
    assert text(await assistant.events(client_tools=[client_tool("weather")])) == "I cannot."
    results = tool_messages(assistant.bodies()[1])
    assert "Unknown tool: nothing" in results
    assert any("invalid tool name" in each for each in results)
    assert caplog.text == ""


async def test_at_the_limit_a_last_round_goes_without_tools(assistant: Assistant) -> None:
    assistant.script(calls(("ghost", {})), calls(("ghost", {})), {"text": "Enough.", **usage(1, 1)})
    events = await assistant.events(client_tools=[client_tool("weather")], max_rounds=2)
    assert text(events) == "Enough."
    assert events[-1] == Finished("stop", 3)
    assert ["tools" in body for body in assistant.bodies()] == [True, True, False]


async def test_a_model_that_calls_for_ever_is_stopped(assistant: Assistant) -> None:
    assistant.script({**calls(("ghost", {})), "repeat": True})
    events = await assistant.events(client_tools=[client_tool("weather")], max_rounds=3)
    assert events[-1] == Finished("stop", 4)
    assert len(assistant.bodies()) == 4


async def test_usage_is_summed_over_rounds(assistant: Assistant) -> None:
    assistant.script({**calls(("ghost", {})), **usage(10, 2)}, {"text": "Done", **usage(20, 3)})
    assert Usage(30, 5) in await assistant.events(client_tools=[client_tool("weather")])


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("Wait.", "Done.", "Wait.\n\nDone."),
        ("Wait. ", "Done.", "Wait. Done."),
        ("Wait.", "\nDone.", "Wait.\nDone."),
        ("", "Done.", "Done."),
        ("Wait.", "", "Wait."),
    ],
)
async def test_the_texts_of_two_rounds_are_separated(
    assistant: Assistant, first: str, second: str, whole: str
) -> None:
    def sse(words: str, **delta: Any) -> dict[str, Any]:
        chunk = {"choices": [{"index": 0, "delta": {"content": words, **delta}, "finish_reason": "stop"}]}
        return {"sse": [f"data: {json.dumps(chunk)}\n\n", "data: [DONE]\n\n"]}

    ghost = {"index": 0, "id": "x", "function": {"name": "ghost", "arguments": "{}"}}
    assistant.script(sse(first, tool_calls=[ghost]), sse(second))
    assert text(await assistant.events(client_tools=[client_tool("weather")])) == whole


async def test_forcing_a_tool_of_ours_holds_for_the_first_round(assistant: Assistant) -> None:
    ours = function(server=ServerEntry(id=1, name="Fake", slug="fake"))
    for choice in ({"type": "function", "function": {"name": "fake__add"}}, "required"):
        assistant.script(calls(("ghost", {})), {"text": "Done"})
        await assistant.events(functions=(ours,), tool_choice=choice)
        assert [body.get("tool_choice") for body in assistant.bodies()] == [choice, None]


async def test_the_choice_none_turns_tools_off(assistant: Assistant) -> None:
    assistant.script({"text": "By myself"})
    await assistant.events(client_tools=[client_tool("weather")], tool_choice="none")
    assert "tools" not in assistant.bodies()[0]


async def test_forcing_a_tool_that_is_not_there_is_not_sent(assistant: Assistant) -> None:
    assistant.script({"text": "Hi"})
    choice = {"type": "function", "function": {"name": "gone"}}
    await assistant.events(client_tools=[client_tool("weather")], tool_choice=choice)
    assert "tool_choice" not in assistant.bodies()[0]


async def test_calls_in_an_answer_that_was_cut_are_not_made(assistant: Assistant) -> None:
    assistant.script({**calls(("weather", '{"city": "Br')), "finish_reason": "length"})
    events = await assistant.events(client_tools=[client_tool("weather")])
    assert events[-1] == Finished("length", 1)
    assert not any(isinstance(event, ClientToolCalls) for event in events)


async def test_calls_under_the_finish_reason_stop_are_made(assistant: Assistant) -> None:
    assistant.script({**calls(("weather", {})), "finish_reason": "stop"})
    assert (await assistant.events(client_tools=[client_tool("weather")]))[-1] == Finished("tool_calls", 1)


async def test_ids_that_an_upstream_repeats_are_made_unique(assistant: Assistant) -> None:
    twice = [{"name": "weather", "arguments": {"n": n}, "id": "same"} for n in (1, 2)]
    assistant.script({"tool_calls": twice})
    events = await assistant.events(client_tools=[client_tool("weather")])
    [returned] = [event for event in events if isinstance(event, ClientToolCalls)]
    assert len({call.id for call in returned.calls}) == 2


async def test_calls_beyond_the_limit_of_a_turn_are_refused(assistant: Assistant) -> None:
    assistant.script(calls(*[("ghost", {})] * 20), {"text": "Fewer, then."})
    assert text(await assistant.events(client_tools=[client_tool("weather")])) == "Fewer, then."
    contents = tool_messages(assistant.bodies()[1])
    assert [content.startswith("Refused") for content in contents] == [False] * MAX_CALLS_PER_TURN + [
        True
    ] * 4


async def test_reasoning_goes_back_with_its_calls_and_is_not_shown(assistant: Assistant) -> None:
    thought = 'data: {"choices":[{"index":0,"delta":{"reasoning":"Hm. "}}]}\n\n'
    called = (
        'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":'
        '{"name":"ghost","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}\n\n'
    )
    assistant.script({"sse": [thought, thought, called]}, {"text": "So."})
    events = await assistant.events(client_tools=[client_tool("weather")])
    assert text(events) == "So."
    spoken = [message for message in assistant.bodies()[1]["messages"] if message["role"] == "assistant"]
    assert spoken[0]["reasoning"] == "Hm. Hm. "


async def test_runs_side_by_side_do_not_mix(assistant: Assistant) -> None:
    others = [Assistant(assistant.llm) for _ in range(8)]
    for number, other in enumerate(others):
        other.script({"text": " ".join([f"answer {number}"] * 20)})
    answers = await asyncio.gather(*(other.events() for other in others))
    assert [text(events) for events in answers] == [
        " ".join([f"answer {number}"] * 20) for number in range(8)
    ]


async def test_a_caller_may_wait_for_each_event_in_another_task(
    assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assistant.script({"text": "one two three"})
    events = run(assistant.request())
    first = await asyncio.create_task(anext(events))
    await asyncio.create_task(events.aclose())
    assert first == TextDelta("one")
    assert caplog.text == ""


async def test_nothing_is_left_behind(assistant: Assistant) -> None:
    before = asyncio.all_tasks()
    assistant.script({"text": "one two three", "chunk_delay_s": 0.05, "repeat": True})
    for _ in range(20):
        events = run(assistant.request())
        await anext(events)
        await events.aclose()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


async def test_a_call_that_is_repeated_again_and_again_is_refused(assistant: Assistant) -> None:
    assistant.script(
        *[calls(("ghost", {"a": 1, "b": 2}), ("ghost", {"n": n})) for n in range(7)], {"text": "So."}
    )
    await assistant.events(client_tools=[client_tool("weather")])
    results = tool_messages(assistant.bodies()[-1])
    assert sum(content.startswith("Refused") for content in results) == 2
