"""Traces, as a collector gets them: from the caller over web process and worker to the MCP server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from celery import shared_task
from celery.signals import task_postrun, task_prerun
from django.conf import settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from redis import Redis

from config.task_traces import TaskSpans
from connector.session import traces
from core import broker, trace_export, tracing
from tests.config.asgi import ask

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    yield exporter
    provider.shutdown()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def test_without_a_collector_there_is_nothing() -> None:
    with tracing.continued("a", {"traceparent": SAMPLED}) as first, tracing.span("b") as second:
        assert first is second is tracing.NO_SPAN
        assert tracing.carried() == {}


def test_of_many_traces_a_part_is_sampled_and_all_can_be_carried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    monkeypatch.setattr(settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for name in ("_provider", "_tracer", "_unsampled"):
        monkeypatch.setattr(tracing, name, None)
    tracing.start()
    exporter, provider = InMemorySpanExporter(), tracing._provider
    provider._active_span_processor._span_processors = (SimpleSpanProcessor(exporter),)
    carried = []
    for _ in range(400):
        with tracing.continued("request", {}), tracing.span("inside"):
            carried.append(tracing.carried()["traceparent"].split("-"))
    sampled = {trace_id for _, trace_id, _, flags in carried if int(flags, 16) & 1}
    assert len({trace_id for _, trace_id, _, _ in carried}) == 400
    assert all(int(span_id, 16) for _, _, span_id, _ in carried)
    assert {flags for _, _, _, flags in carried} == {"02", "03"}  # either is random
    assert 50 < len(sampled) < 150
    assert {format(span.context.trace_id, "032x") for span in exporter.get_finished_spans()} == sampled
    assert len(exporter.get_finished_spans()) == 2 * len(sampled)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "mcp-connector"),
        ({"OTEL_SERVICE_NAME": ""}, "mcp-connector"),  # as in files of Compose
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=tests"}, "mcp-connector"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "other"),
        ({"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "mine"),
    ],
)
def test_spans_are_of_our_service_unless_it_is_named(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    made = trace_export.provider()
    made.shutdown()
    assert made.resource.attributes["service.name"] == name


def test_a_trace_goes_on_from_caller_to_server(exported: InMemorySpanExporter) -> None:
    caller, call = {"traceparent": SAMPLED, "tracestate": "a=b"}, {"name": "add", "_meta": {"x": 1}}
    with tracing.continued("request", caller), tracing.tool("add", "call_1"):
        sent = tracing.carried()
    with tracing.continued("worker", sent), traces.of_request("tools/call", call, "2025-11-25") as params:
        meta = params["_meta"]
    spans = {span.name: span for span in exported.get_finished_spans()}
    assert list(spans) == ["execute_tool add", "request", "tools/call add", "worker"]
    assert {format(span.context.trace_id, "032x") for span in spans.values()} == {TRACE}
    assert format(spans["request"].parent.span_id, "016x") == PARENT
    assert spans["execute_tool add"].parent.span_id == spans["request"].context.span_id
    assert spans["worker"].parent.span_id == spans["execute_tool add"].context.span_id
    last = spans["tools/call add"]
    assert meta["traceparent"] == f"00-{TRACE}-{last.context.span_id:016x}-01"
    assert (meta["x"], meta["tracestate"]) == (1, "a=b")
    assert dict(last.attributes) == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2025-11-25",
        "gen_ai.tool.name": "add",
    }


def test_what_is_not_sampled_makes_no_spans_and_tells_others_so(exported: InMemorySpanExporter) -> None:
    with tracing.continued("request", {"traceparent": UNSAMPLED}):
        with tracing.span("inner") as inner:
            assert inner is tracing.NO_SPAN
        with traces.of_request("tools/call", {"name": "add"}, "2025-11-25") as params:
            assert params["_meta"]["traceparent"].startswith(f"00-{TRACE}-")
            assert params["_meta"]["traceparent"].endswith("-00")
    assert names(exported) == []


@pytest.mark.parametrize("bad", ["", "x", "00-0-0-01", f"00-{'0' * 32}-{PARENT}-01", 7, None])
def test_what_is_no_traceparent_begins_a_trace(exported: InMemorySpanExporter, bad: object) -> None:
    with tracing.continued("request", {"traceparent": bad}):
        pass
    (span,) = exported.get_finished_spans()
    assert span.parent is None


def test_a_failure_is_named_and_its_text_is_not(exported: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.continued("request", {}):
        raise ValueError("secret")
    (span,) = exported.get_finished_spans()
    assert (span.status.status_code, span.attributes) == (StatusCode.ERROR, {"error.type": "ValueError"})
    assert "secret" not in span.to_json()


async def test_a_generator_that_another_task_closes_ends_its_span(exported: InMemorySpanExporter) -> None:
    async def run() -> AsyncIterator[int]:
        with tracing.span("run"):
            yield 1

    async def close(generator: Any) -> None:
        await generator.aclose()

    with tracing.continued("request", {}):
        generator = run()
        await anext(generator)
        await asyncio.create_task(close(generator))
    assert names(exported) == ["run", "request"]
    assert exported.get_finished_spans()[0].status.status_code == StatusCode.UNSET


@pytest.mark.usefixtures("transactional_db")
async def test_a_request_is_the_first_span(exported: InMemorySpanExporter) -> None:
    answer = await ask("/v1/models", headers=[(b"host", b"localhost"), (b"traceparent", SAMPLED.encode())])
    await ask("/health")
    (span,) = exported.get_finished_spans()
    assert (span.name, format(span.context.trace_id, "032x")) == ("GET models", TRACE)
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "models",
        "http.response.status_code": 401,
        "mcp_connector.request_id": answer.headers["x-request-id"],
    }


@pytest.fixture
def traced_tasks() -> Iterator[TaskSpans]:
    spans = TaskSpans()
    task_prerun.connect(spans.begin)
    task_postrun.connect(spans.end)
    yield spans
    task_prerun.disconnect(spans.begin)
    task_postrun.disconnect(spans.end)


@shared_task(name="tests.traced")
def traced(secret: str) -> None:
    with tracing.span("inner"):
        if secret == "raise":
            raise ValueError(secret)


def test_a_task_goes_on_with_the_trace_of_its_message(
    exported: InMemorySpanExporter, traced_tasks: TaskSpans
) -> None:
    traced.apply(["secret"], task_id="1", headers={"traceparent": SAMPLED})
    inner, task = exported.get_finished_spans()
    assert (inner.name, task.name, task.kind) == ("inner", "process tests.traced", SpanKind.CONSUMER)
    assert (format(task.context.trace_id, "032x"), format(task.parent.span_id, "016x")) == (TRACE, PARENT)
    assert inner.parent.span_id == task.context.span_id
    assert task.attributes["messaging.message.id"] == "1"
    assert "secret" not in task.to_json()
    assert tracing.carried() == {}, "the thread has no span any more"


@pytest.mark.parametrize("sent", [{}, {"traceparent": 7}, {"traceparent": "nonsense"}])
def test_a_task_that_nobody_traced_begins_a_trace(
    exported: InMemorySpanExporter, traced_tasks: TaskSpans, sent: dict[str, Any]
) -> None:
    traced.apply(["secret"], headers=sent)
    assert exported.get_finished_spans()[-1].parent is None


def test_a_task_that_fails_is_named_by_its_error(
    exported: InMemorySpanExporter, traced_tasks: TaskSpans
) -> None:
    traced.apply(["raise"])
    task = exported.get_finished_spans()[-1]
    assert (task.status.status_code, task.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "raise" not in task.to_json()


def test_a_message_names_the_trace_of_who_sends_it(exported: InMemorySpanExporter) -> None:
    queue = "of-this-trace"
    with tracing.continued("request", {"traceparent": SAMPLED}):
        sent = tracing.carried()
        broker.send("nobody.knows.this", queue=queue)
    broker.send("nobody.knows.this", queue=queue)
    with Redis.from_url(settings.REDIS_URL) as redis:
        last, first = (json.loads(message)["headers"] for message in redis.lrange(queue, 0, -1))
        redis.delete(queue)
    assert first["traceparent"] == sent["traceparent"]
    assert "traceparent" not in last
