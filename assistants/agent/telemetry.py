"""Strands' telemetry, switched off: it costs nothing then, either.

Strands writes prompts, arguments and results into OpenTelemetry spans, serialized anew for each round, and
some of them into its log. They are our callers' words: none goes to whatever exporter or log the process
has.
"""

import logging
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span
from strands.telemetry import tracer
from strands.telemetry.metrics import EventLoopMetrics, Trace


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


class _NoTrace(Trace):
    """A part of a run that is not measured. It has no id, for which the base asks the system."""

    id = ""

    def __init__(self, *_: Any, **__: Any) -> None:  # deliberately without the base's
        pass

    def _ignore(self, *_: Any, **__: Any) -> None:
        pass

    end = add_child = add_message = _ignore


class NoMetrics(EventLoopMetrics):
    """Counts nothing, so all runs may share it."""

    def start_cycle(self, attributes: dict[str, Any]) -> tuple[float, Trace]:
        return 0.0, _NoTrace()

    def _ignore(self, *_: Any, **__: Any) -> None:
        pass

    end_cycle = add_tool_usage = update_usage = update_metrics = reset_usage_metrics = _ignore


def silence_strands() -> None:
    """For the process, before its first agent. Whoever catches a failure of a run logs what matters of it."""
    # Strands has no setting for it: pyproject.toml allows only releases in which this private name exists.
    tracer._tracer_instance = NoTracer()  # type: ignore[assignment]  # noqa: SLF001
    logging.getLogger("strands").setLevel(logging.CRITICAL)
