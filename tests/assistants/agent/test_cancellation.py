"""Runs that are cancelled by their scope. tests/journeys/test_ending_runs.py cancels them from outside."""

import asyncio

import pytest

from assistants.agent import run
from assistants.agent.cancellation import CancelScope
from assistants.errors import RunCancelled
from assistants.events import TextDelta
from tests.assistants.agent.conftest import Assistant


async def test_a_cancelled_scope_ends_its_run_at_once(assistant: Assistant) -> None:
    assistant.script({"text": "one two", "chunk_delay_s": 5})
    scope = CancelScope()
    events = run(assistant.request(), scope)
    assert await anext(events) == TextDelta("one")
    scope.cancel(RunCancelled())
    with pytest.raises(RunCancelled):
        await asyncio.wait_for(anext(events), 4)
    assistant.llm.wait_for_outcome(assistant.conversation, "disconnected", within_s=15)


async def test_a_run_whose_scope_is_cancelled_already_does_not_begin(assistant: Assistant) -> None:
    assistant.script({"text": "Never."})
    scope = CancelScope()
    scope.cancel(RunCancelled())
    with pytest.raises(RunCancelled):
        await anext(run(assistant.request(), scope))
    assert assistant.bodies() == []


def test_the_first_reason_counts() -> None:
    reasons: list[Exception] = []
    first, scope = RunCancelled(), CancelScope()
    scope.on_cancel(reasons.append)
    scope.cancel(first)
    scope.cancel(ValueError())
    assert (reasons, scope.is_cancelled) == ([first], True)
