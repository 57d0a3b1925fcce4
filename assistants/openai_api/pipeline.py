"""Runs an assistant for a caller: within its key's limits, on the record, seen by the request's observers.

Each event of a run passes through `observed_run`, and through nothing else before it is rendered.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from apikeys import limits
from assistants.agent import RunRequest, cancellation, run
from assistants.approvals import Gate, Past
from assistants.approvals.delivery import Delivery
from assistants.events import AnswerHeld, Event, ToolsSelected
from assistants.recording import Origin, recorded, session_tools
from core import log_context, tracing


class Observer(Protocol):
    """Sees each event of a run before the caller does. An exception that it raises ends the run."""

    async def on_event(self, event: Event) -> None: ...


async def observed_run(
    request: RunRequest, origin: Origin, observers: Sequence[Observer] = ()
) -> AsyncGenerator[Event, None]:
    """Yields the run's events, each after the record and then the `observers`, in order, have seen it.

    Closing the generator cancels the run. Raises LimitReached before the first event, and what `agent.run`
    raises.
    """
    principal = origin.principal
    log_context.run_id.set(origin.run_id)
    async with limits.current().permit(principal) as permit:
        with cancellation.registered(principal, origin.run_id) as scope, _span(request, origin):
            async with recorded(request, origin, scope, permit) as recorder:
                used = await session_tools.used(origin, request.assistant)
                asker = origin.asker(request.assistant)
                past = request.past or Past(request.visible)
                gate = await Gate.of(asker, past=past, requirement=request.requirement)
                delivery = Delivery(asker, request.visible, request.continued)
                async with aclosing(run(replace(request, used=used, gate=gate), scope)) as events:
                    async for event in events:
                        await recorder.on_event(event)
                        await delivery.on_event(event)
                        await gate.on_event(event)
                        if isinstance(event, ToolsSelected | AnswerHeld):  # not for endpoints
                            continue
                        for observer in observers:
                            await observer.on_event(event)
                        yield event


def _span(request: RunRequest, origin: Origin) -> tracing.AnySpan:
    slug = request.assistant.slug
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": slug,
        "mcp_connector.run_id": origin.run_id,
    }
    return tracing.span(f"invoke_agent {slug}", attributes)
