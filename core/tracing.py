"""Spans by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing of it is loaded.

The span of the present work is in a contextvar of ours and not in OpenTelemetry's context, which would have
to be detached by the same task that attached it: async generators are closed by others. Where a trace is not
sampled its inner spans are not made at all.

No span holds content: prompts, arguments, results, or the text of an error. Names of models, tools and
servers are what staff have given them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.utils.module_loading import import_string
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

log = logging.getLogger(__name__)

CLIENT, SERVER, CONSUMER, INTERNAL = SpanKind.CLIENT, SpanKind.SERVER, SpanKind.CONSUMER, SpanKind.INTERNAL
HEADERS = ("traceparent", "tracestate")
_FLUSH_S = 2.0

Attributes = Mapping[str, Any]
"""By their names in OpenTelemetry's semantic conventions."""
_NONE: Attributes = {}
_EMPTY = Context()
_propagator = TraceContextTextMapPropagator()
_tracer: Tracer | None = None
_provider: Any = None
_unsampled: Callable[[str, SpanKind], int] | None = None


class _NoSpan:
    """Stands for a span that nobody wants."""

    is_recording = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def note(self, attributes: Mapping[str, Any]) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass


class Span:
    """A part of a trace: the present one inside its block. An exception that leaves the block fails it."""

    is_recording: bool

    def __init__(self, otel: OtelSpan) -> None:
        self._otel = otel
        self.is_recording = otel.is_recording()

    @property
    def otel(self) -> OtelSpan:
        return self._otel

    def __enter__(self) -> Self:
        self._before = _current.get()
        _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        # Set, and not reset by a token: an async generator may end in another context than it began in.
        _current.set(self._before)
        if not self.is_recording:
            return
        if error is not None and not isinstance(error, GeneratorExit):
            self.fail(str(getattr(error, "code", "") or type(error).__name__))
        self.otel.end()

    def note(self, attributes: Mapping[str, Any]) -> None:
        """Adds attributes. Those that are None are left out."""
        if self.is_recording:
            self.otel.set_attributes(_known(attributes))

    def fail(self, kind: str) -> None:
        """Notes a failure by its code or its class: texts of errors may hold secrets."""
        if self.is_recording:
            self.otel.set_attribute("error.type", kind)
            self.otel.set_status(Status(StatusCode.ERROR))


class _Unsampled(Span):
    """The first span of a trace that is not sampled. OpenTelemetry's is made only where it is carried on."""

    is_recording = False

    def __init__(self, trace_id: int) -> None:
        self._trace_id = trace_id

    @cached_property
    def otel(self) -> OtelSpan:
        span_id = _provider.id_generator.generate_span_id()
        flags = TraceFlags(TraceFlags.RANDOM_TRACE_ID)  # as the SDK's own have, sampled or not
        return NonRecordingSpan(SpanContext(self._trace_id, span_id, is_remote=False, trace_flags=flags))


NO_SPAN = _NoSpan()
AnySpan = Span | _NoSpan
_current: ContextVar[Span | None] = ContextVar("span", default=None)


def is_on() -> bool:
    return _tracer is not None


def span(name: str, attributes: Attributes = _NONE, *, kind: SpanKind = INTERNAL) -> AnySpan:
    """Returns a part of the present trace; nothing where none is recorded."""
    parent = _current.get()
    if parent is None or not parent.is_recording or _tracer is None:
        return NO_SPAN
    return Span(_tracer.start_span(name, _context(parent.otel), kind, _known(attributes)))


def tool(name: str, call_id: str | None = None) -> AnySpan:
    """Returns the span of a call of a tool, as an agent or a caller makes it."""
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
    }
    return span(f"execute_tool {name}", attributes)


def continued(
    name: str, carrier: Mapping[str, Any], attributes: Attributes = _NONE, *, kind: SpanKind = SERVER
) -> AnySpan:
    """Returns the first span here of the trace that `carrier` has the headers of, by their names.

    Without one it is a part of the present trace, and where there is none begins one, if it is sampled.
    """
    if _tracer is None:
        return NO_SPAN
    sent = {key: carrier[key] for key in HEADERS if isinstance(carrier.get(key), str)} if carrier else {}
    if not sent and _current.get() is not None:
        return span(name, attributes, kind=kind)
    # Most are not sampled: OpenTelemetry's span takes twice as long as to decide that.
    if not sent and _unsampled and (trace_id := _unsampled(name, kind)):
        return _Unsampled(trace_id)
    parent = _propagator.extract(sent, _EMPTY) if sent else _EMPTY
    first = Span(_tracer.start_span(name, parent, kind))
    first.note(attributes)  # of the few that are sampled: no sampler of OTEL_TRACES_SAMPLER looks at them
    return first


def carried() -> dict[str, str]:
    """Returns the headers of W3C Trace Context for the present span; nothing without one."""
    carrier: dict[str, str] = {}
    if (present := _current.get()) is not None:
        _propagator.inject(carrier, _context(present.otel))
    return carrier


def _context(parent: OtelSpan) -> Context:
    return set_span_in_context(parent, _EMPTY)


def _known(attributes: Attributes) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def start() -> None:
    """Has this process export spans, if a collector is named. To be called after a fork, for its thread."""
    global _tracer, _provider, _unsampled  # noqa: PLW0603 - one a process
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT or _provider is not None:
        return
    try:
        _provider = import_string("core.trace_export.provider")()
    except ImportError as error:
        log.error("Traces are not exported: the extra mcp-connector[otel] is missing (%s).", error.name)
        return
    _tracer = _provider.get_tracer("mcp-connector")
    _unsampled = partial(_provider.id_generator.unsampled, _provider.sampler)


def flush() -> None:
    """Exports what has ended, within _FLUSH_S."""
    if _provider is not None:
        _provider.force_flush(round(_FLUSH_S * 1000))


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Spans are exported for as long as the context lasts."""
    start()
    try:
        yield
    finally:
        if _provider is not None:
            await asyncio.to_thread(flush)
