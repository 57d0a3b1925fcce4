import threading

import pytest
from strands.telemetry.tracer import Tracer, get_tracer

from assistants.agent.telemetry import NoTracer
from tests.assistants.agent.conftest import Assistant

UNUSED = ("multiagent", "swarm", "memory")


def test_strands_traces_nothing() -> None:
    tracer = get_tracer()
    span = tracer.start_agent_span(
        messages=[{"role": "user", "content": [{"text": "secret"}]}], agent_name="a"
    )
    assert not span.is_recording()
    tracer.end_agent_span(span)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in vars(Tracer)
        if name.startswith(("start_", "end_")) and not any(part in name for part in UNUSED)
    ],
)
def test_no_span_of_a_new_kind_slips_through(name: str) -> None:
    assert name in vars(NoTracer)


async def test_a_run_leaves_the_threads_of_the_process_alone(assistant: Assistant) -> None:
    assistant.script({"text": "Hi"})
    await assistant.events()
    assert not hasattr(threading.Thread.start, "__wrapped__")
