"""Strands' telemetry, switched off.

Strands writes prompts, arguments and results into OpenTelemetry spans, serialized anew for each round, and
some of them into its log. They are our callers' words: none goes to whatever exporter or log the process
has.
"""

import logging
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span
from strands.telemetry import tracer


class NoTracer(tracer.Tracer):
    """Starts no span, and, unlike its base, does not instrument the threads of the whole process."""

    def __init__(self) -> None:  # deliberately without the base's, which does
        pass

    def _start(self, *_: Any, **__: Any) -> Span:
        return INVALID_SPAN

    def _end(self, *_: Any, **__: Any) -> None:
        pass

    start_agent_span = start_event_loop_cycle_span = start_model_invoke_span = start_tool_call_span = _start
    end_agent_span = end_event_loop_cycle_span = end_model_invoke_span = end_tool_call_span = _end
    end_span_with_error = end_span_with_cancellation = _end


def silence_strands() -> None:
    """For the process, before its first agent. Whoever catches a failure of a run logs what matters of it."""
    # Strands has no setting for it: pyproject.toml allows only releases in which this private name exists.
    tracer._tracer_instance = NoTracer()  # type: ignore[assignment]  # noqa: SLF001
    logging.getLogger("strands").setLevel(logging.CRITICAL)
