"""The one way of an event: the record, then the observers in order, then the caller."""

from contextlib import aclosing
from typing import Any

import pytest

from apikeys.authentication import Principal
from apikeys.models import TokenUsage
from assistants.events import Event, Finished, TextDelta, Usage
from assistants.models import Run, RunStatus
from assistants.openai_api.pipeline import observed_run
from assistants.recording import Origin
from core.errors import DatabaseUnavailable
from tests.assistants.agent.conftest import Assistant, agent, assistant
from tests.assistants.recording.test_rows import alice, recording_runs
from tests.assistants.selection.conftest import ScriptedSearch, found

__all__ = ["agent", "alice", "assistant", "found"]
pytestmark = pytest.mark.django_db(transaction=True)
HELLO = {"text": "Hello there.", "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


class Observer:
    """Writes down what it saw, in a list that it shares with others; may refuse a kind of event."""

    def __init__(self, name: str, seen: list[Any], refused: type[Event] | None = None) -> None:
        self._name, self._seen, self._refused = name, seen, refused

    async def on_event(self, event: Event) -> None:
        if self._refused is not None and isinstance(event, self._refused):
            raise DatabaseUnavailable
        self._seen.append((self._name, event))


async def test_observers_see_each_event_in_order_and_before_the_caller(
    assistant: Assistant, alice: Principal, found: ScriptedSearch
) -> None:
    """What was chosen of an assistant's tools is for the record alone."""
    assistant.script(HELLO)
    seen: list[Any] = []
    observers = [Observer("first", seen), Observer("second", seen)]
    run = observed_run(assistant.request(selection="retrieved"), Origin(alice, "req_1"), observers)
    async with recording_runs(), aclosing(run) as events:
        async for event in events:
            assert seen == [("first", event), ("second", event)]
            seen.clear()
    assert (await Run.objects.aget()).selection is not None


@pytest.mark.parametrize("refused", [TextDelta, Usage, Finished])
async def test_an_observer_that_fails_ends_the_run_before_later_ones_see_the_event(
    assistant: Assistant, alice: Principal, refused: type[Event]
) -> None:
    assistant.script(HELLO)
    seen: list[Any] = []
    observers = [Observer("store", [], refused), Observer("later", seen)]
    run = observed_run(assistant.request(), Origin(alice, "req_1"), observers)
    async with recording_runs(), aclosing(run) as events:
        with pytest.raises(DatabaseUnavailable):
            seen += [("caller", event) async for event in events]
    assert not [event for _, event in seen if isinstance(event, refused)]


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [(TextDelta, (RunStatus.FAILED, "database_unavailable")), (Finished, (RunStatus.COMPLETED, ""))],
)
async def test_what_an_observer_ends_is_recorded_and_counted_once(
    assistant: Assistant, alice: Principal, refused: type[Event], outcome: tuple[RunStatus, str]
) -> None:
    """A run that was through is completed on the record, whatever could not be stored of it."""
    assistant.script(HELLO)
    run = observed_run(assistant.request(), Origin(alice, "req_1"), [Observer("store", [], refused)])
    async with recording_runs(), aclosing(run) as events:
        with pytest.raises(DatabaseUnavailable):
            [event async for event in events]
    recorded = await Run.objects.aget()
    assert (recorded.status, recorded.error) == outcome
    assert await TokenUsage.objects.values_list("tokens", flat=True).aget() == recorded.total_tokens > 0
