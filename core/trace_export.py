"""What exports spans: OpenTelemetry's SDK. It is loaded where a collector is named."""

import threading

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import SpanKind
from opentelemetry.util.re import parse_env_headers

SERVICE = "mcp-connector"


class Ids(RandomIdGenerator):
    """Random ids. A trace is sampled by its id: one that was decided on is that of the next trace here."""

    def __init__(self) -> None:
        self._decided = threading.local()

    def unsampled(self, sampler: Sampler, name: str, kind: SpanKind) -> int:
        """Returns the id of a trace that is not sampled; 0 for one that is, which is to be started next."""
        trace_id = super().generate_trace_id()
        if sampler.should_sample(None, trace_id, name, kind).decision is Decision.DROP:
            return trace_id
        self._decided.trace_id = trace_id
        return 0

    def generate_trace_id(self) -> int:
        found: int = self._decided.__dict__.pop("trace_id", 0)
        return found or super().generate_trace_id()


def provider() -> TracerProvider:
    """Returns a provider that samples as OTEL_TRACES_SAMPLER says, and exports from a thread."""
    # What the environment names is merged once more: it wins over ours.
    resource = Resource.create({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
    made = TracerProvider(id_generator=Ids(), resource=resource)
    given = settings.OTEL_EXPORTER_OTLP_TRACES_HEADERS or settings.OTEL_EXPORTER_OTLP_HEADERS
    headers = parse_env_headers(given, liberal=True)
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip("/")
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers)))
    return made
