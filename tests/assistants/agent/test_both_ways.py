"""Runs without tools go without the loop: what they emit, send, record and raise is the same."""

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import pytest
from pytest_django import Settings

from apikeys.principal import Principal
from assistants.agent import RunRequest, availability, run
from assistants.agent.cancellation import CancelScope
from assistants.agent.loop import Loop
from assistants.agent.run_agent import RunAgent
from assistants.agent.run_model import RunModel
from assistants.agent.tools import Toolbox
from assistants.catalogue.entries import ServerEntry
from assistants.errors import RunCancelled
from assistants.events import Event, Finished, UnavailableTool
from assistants.models import RunStatus
from assistants.recording.records import Origin
from assistants.recording.trace import Trace
from tests.assistants.agent.conftest import Assistant, client_tool, function
from tests.assistants.agent.turns import call, sse, whole
from tests.image_host import DATA_URL
from tests.llm import ScriptedLLM

SERVER = ServerEntry(1, "Calculator", "calc")
AS_JSON = {"parameters": {"response_format": {"type": "json_object"}}}
ENDED = "data: [DONE]\n\n"
FAILED = {"status": 400, "body": "{}"}
SAME_FOR_EACH = ("origin", "started_at", "first_token_ms", "duration_ms", "model", "model_rounds")
"""What two records of equal runs differ in: names and times."""


@dataclass(frozen=True)
class Journey:
    """`steps`: of the assistant's service; `takes_over`: of its fallback, if it has one."""

    steps: Sequence[dict[str, Any]]
    messages: Any = "Hello"
    changes: Mapping[str, Any] = field(default_factory=dict)
    takes_over: Sequence[dict[str, Any]] = ()
    cancels_after: int | None = None
    """How many events."""
    deadline_s: float | None = None
    missing: Mapping[int, UnavailableTool] = field(default_factory=dict)


def said(content: Any, **more: Any) -> list[dict[str, Any]]:
    """A conversation in which the assistant said this."""
    user = {"role": "user", "content": "Hi"}
    return [user, {"role": "assistant", "content": content, **more}, user]


def used(name: str, content: Any = None) -> list[dict[str, Any]]:
    """A conversation in which the assistant called a tool."""
    result = {"role": "tool", "tool_call_id": "c1", "content": "Rain"}
    _, turn, user = said(content, tool_calls=[call(name, id="c1", extra_content={"a": 1})])
    return [user, turn, result]


def image(url: str = DATA_URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


THOUGHT = sse({"reasoning_content": "Hm. "}, {"reasoning_content": "So."}, {"content": "Yes."}, finish="stop")
STUCK = {**sse({"content": "one"}, {"content": "two"}, finish="stop"), "chunk_delay_s": 9}
ATTACHED = {"reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}], "vendor_state": 1}
JOURNEYS = {
    "text": Journey([{"text": "One two three", "usage": {"prompt_tokens": 7, "completion_tokens": 3}}]),
    "many deltas": Journey([{"text": " ".join(map(str, range(200)))}]),
    "slow deltas": Journey([{"text": "one two three", "chunk_delay_s": 0.05}]),
    "not streamed": Journey([whole({"content": "Yes."}, finish="stop")]),
    "nothing said": Journey([{"text": ""}]),
    "blanks": Journey([{"text": "  "}]),
    "usage with details": Journey(
        [{"text": "Yes", "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 5}}}]
    ),
    "usage estimated": Journey([sse({"content": "Yes."}, finish="stop")]),
    "parameters": Journey([{"text": "Yes"}], changes={"parameters": {"temperature": 0, "max_tokens": 9}}),
    "refusal": Journey([sse({"refusal": "I will"}, {"refusal": " not."}, finish="stop")]),
    "reasoning": Journey([THOUGHT]),
    "reasoning alone": Journey([sse({"reasoning": "Hm."}, finish="stop")]),
    "length": Journey([{"text": "One two", "finish_reason": "length"}]),
    "content filter": Journey([{"text": "One", "finish_reason": "content_filter"}]),
    "attachments": Journey([sse({"content": "Yes.", **ATTACHED}, finish="stop")]),
    "a call, although no tool was offered": Journey([sse({"content": "I", "tool_calls": [call(id="x")]})]),
    "a call alone": Journey([sse({"tool_calls": [call(id="x")]})]),
    "a demanded call": Journey([{"text": "Yes"}], changes={"tool_choice": "required"}),
    "tools turned off": Journey(
        [{"text": "Yes"}],
        changes={
            "tool_choice": "none",
            "client_tools": [client_tool("mine")],
            "functions": (function(server=SERVER),),
        },
    ),
    "tools turned off with selection": Journey(
        [{"text": "Yes"}],
        changes={"tool_choice": "none", "functions": (function(server=SERVER),), "selection": "retrieved"},
    ),
    "all servers unavailable": Journey(
        [{"text": "Yes"}],
        changes={"functions": (function(server=SERVER),)},
        missing={1: UnavailableTool("Calculator", "It is stopped.")},
    ),
    "none of the tools allowed": Journey(
        [{"text": "Yes"}], changes={"functions": (function(server=SERVER),), "allowed": frozenset()}
    ),
    "no rounds": Journey([{"text": "Yes"}], changes={"max_rounds": 0}),
    "image": Journey(
        [{"text": "A dot"}], [{"role": "user", "content": [{"type": "text", "text": "?"}, image()]}]
    ),
    "image in a result": Journey(
        [{"text": "A dot"}], [*used("photo")[:-1], {**used("photo")[-1], "content": [image()]}]
    ),
    "bad image": Journey([], [{"role": "user", "content": [image("data:image/png;base64,?")]}]),
    "ends in calls": Journey([], used("weather")[:-1]),
    "system alone": Journey([{"text": "Ready"}], [{"role": "system", "content": "Greet."}]),
    "system amid": Journey([{"text": "Yes"}], [*said("Yes"), {"role": "developer", "content": "Short."}]),
    "blank turn": Journey([{"text": "Yes"}], said(" ")),
    "blank part": Journey([{"text": "Yes"}], said([{"type": "text", "text": " "}])),
    "blank part before a call": Journey([{"text": "Yes"}], used("weather", [{"type": "text", "text": " "}])),
    "named turns": Journey([{"text": "Yes"}], said("Yes", name="bob")),
    "refused turn": Journey([{"text": "Yes"}], said(None, refusal="No.")),
    "turn with attachments": Journey([{"text": "Yes"}], said("Yes", **ATTACHED)),
    "calls of old": Journey([{"text": "Yes"}], used("weather")),
    "a call that none can make": Journey([{"text": "Yes"}], used("bad name!")),
    "a call that none can make, by length": Journey([{"text": "Yes"}], used("x" * 65)),
    "failover": Journey([FAILED], takes_over=[{"text": "I do"}]),
    "failover fails": Journey([FAILED], takes_over=[FAILED]),
    "failover of old calls": Journey([FAILED], used("weather"), takes_over=[{"text": "I do"}]),
    "too long a context": Journey(
        [{"status": 400, "body": json.dumps({"error": {"code": "context_length_exceeded", "message": "x"}})}],
        takes_over=[{"text": "I do"}],
    ),
    "bad key": Journey([{"status": 401, "body": "{}"}]),
    "no such model": Journey([{"status": 404, "body": "{}"}]),
    "refused request": Journey([{"status": 422, "body": json.dumps({"error": {"message": "No."}})}]),
    "upstream busy": Journey([{"status": 429, "body": "{}", "headers": {"retry-after": "99"}}]),
    "upstream broken, then well": Journey([{"status": 500, "body": "{}"}, {"text": "Yes"}]),
    "broken off": Journey([{"text": "One two three", "cut_after": 2}]),
    "broken off before anything": Journey([{"text": "One", "cut_after": 0}], takes_over=[{"text": "I do"}]),
    "garbage": Journey([{"sse": ["data: {\n\n", ENDED]}]),
    "an error amid": Journey([{"sse": ['data: {"error": {"message": "x", "code": 500}}\n\n', ENDED]}]),
    "JSON": Journey([{"text": '{"a": 1}'}], changes=AS_JSON),
    "JSON at the second try": Journey([{"text": "no"}, {"text": '{"a": 1}'}], changes=AS_JSON),
    "JSON after nothing": Journey([{"text": ""}, {"text": '{"a": 1}'}], changes=AS_JSON),
    "JSON after blanks": Journey([{"text": "  "}, {"text": '{"a": 1}'}], changes=AS_JSON),
    "JSON after thoughts": Journey([THOUGHT, {"text": '{"a": 1}'}], changes=AS_JSON),
    "JSON after attachments": Journey(
        [sse({"content": "no", **ATTACHED}, finish="stop"), {"text": '{"a": 1}'}], changes=AS_JSON
    ),
    "never JSON": Journey([{"text": "no"}, {"text": "never"}], changes=AS_JSON),
    "JSON, cut": Journey([{"text": '{"a":', "finish_reason": "length"}], changes=AS_JSON),
    "JSON, refused": Journey([sse({"refusal": "No."}, finish="stop")], changes=AS_JSON),
    "JSON, refused at the second try": Journey(
        [{"text": "no"}, sse({"refusal": "No."}, finish="stop")], changes=AS_JSON
    ),
    "JSON, failing at the second try": Journey([{"text": "no"}, FAILED], changes=AS_JSON),
    "cancelled": Journey([STUCK], cancels_after=1),
    "cancelled before": Journey([STUCK], cancels_after=0),
    "deadline": Journey([{"text": "one two", "delay_s": 9}], deadline_s=0.3),
    "deadline amid": Journey([STUCK], deadline_s=1.0),
}


@dataclass
class Outcome:
    events: list[Event] = field(default_factory=list)
    error: tuple[Any, ...] = ()
    bodies: list[Any] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch, llm: ScriptedLLM, settings: Settings, agent: None) -> Any:
    """Returns the outcomes of a journey without the loop, and with it."""
    module = importlib.import_module("assistants.agent.run")
    agents: list[RunAgent] = []
    made = RunAgent.__init__

    def make(agent: RunAgent, *arguments: Any) -> None:
        agents.append(agent)
        made(agent, *arguments)

    def looped(model: RunModel, messages: Any, prompt: str | None) -> Loop:
        unused = cast(Any, None)  # no tool is called
        return Loop(model, messages, prompt, tools=Toolbox(()), hooks=[], gate=unused, emit=unused)

    async def both(journey: Journey) -> tuple[Outcome, Outcome]:
        async def missing(_: Any) -> Any:
            return journey.missing

        monkeypatch.setattr(availability, "unavailable", missing)
        monkeypatch.setattr(RunAgent, "__init__", make)
        if journey.deadline_s is not None:
            settings.RUN_DEADLINE_S = journey.deadline_s
        plain = await outcome(journey, llm)
        assert agents == []
        monkeypatch.setattr(module, "SingleCall", looped)
        forced = await outcome(journey, llm)
        assert len(agents) == 1 or not forced.bodies
        return plain, forced

    return both


async def outcome(journey: Journey, llm: ScriptedLLM) -> Outcome:
    assistant, fallback, found = Assistant(llm), Assistant(llm), Outcome()
    assistant.script(*journey.steps)
    fallback.script(*journey.takes_over)
    changes = {**journey.changes}
    if journey.takes_over:
        # The same stand-in by another spelling, which is another service to the run.
        url = fallback.endpoint.base_url.replace("http:", "HTTP:")
        changes["fallback"] = replace(fallback.endpoint, base_url=url)
    request = assistant.request(journey.messages, store_bodies=True, **changes)
    trace = Trace(request, Origin(Principal(1, "alice", "", False, True, False, None), "req_1"))
    await follow(request, journey.cancels_after, found, trace.add)
    found.bodies = [{**body, "model": ""} for each in (assistant, fallback) for body in each.bodies()]
    record = asdict(trace.ended(RunStatus.FAILED, str(found.error)))
    found.record = {name: value for name, value in record.items() if name not in SAME_FOR_EACH}
    return found


async def follow(
    request: RunRequest, cancels_after: int | None, found: Outcome, observe: Callable[[Any], None]
) -> None:
    scope = CancelScope()
    if cancels_after == 0:
        scope.cancel(RunCancelled())
    try:
        async with aclosing(run(request, scope)) as events:
            async for event in events:
                observe(event)
                found.events.append(event)
                if len(found.events) == cancels_after:
                    scope.cancel(RunCancelled())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        names = ("code", "status_code", "message", "detail", "param", "retry_after", "may_retry")
        found.error = (type(error), str(error), *(getattr(error, name, None) for name in names))


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
async def test_a_run_without_tools_goes_as_in_the_loop(journey: Journey, both: Any) -> None:
    plain, forced = await both(journey)
    assert plain.events == forced.events
    assert plain.error == forced.error
    assert plain.bodies == forced.bodies
    assert plain.record == forced.record
    assert bool(plain.error) != isinstance(plain.events[-1] if plain.events else None, Finished)


async def test_a_run_that_is_offered_a_tool_loops(both: Any) -> None:
    """So that no journey compares the loop with itself."""
    with pytest.raises(AssertionError, match="RunAgent"):
        await both(Journey([{"text": "Yes"}], changes={"client_tools": [client_tool("mine")]}))
