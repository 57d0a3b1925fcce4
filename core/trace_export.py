"""What exports spans: OpenTelemetry's SDK. It is loaded where a collector is named."""

import os

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.re import parse_env_headers

SERVICE = "mcp-connector"


def provider() -> TracerProvider:
    """Returns a provider that samples as OTEL_TRACES_SAMPLER says, and exports from a thread."""
    is_named = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    made = TracerProvider(resource=Resource.create({} if is_named else {"service.name": SERVICE}))
    given = settings.OTEL_EXPORTER_OTLP_TRACES_HEADERS or settings.OTEL_EXPORTER_OTLP_HEADERS
    headers = parse_env_headers(given, liberal=True)
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip("/")
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers)))
    return made
