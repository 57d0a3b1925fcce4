"""Which services answer for an assistant."""

from collections.abc import Iterator, Mapping
from typing import Any

from assistants.agent import native
from assistants.agent.compatible import CompatibleSource
from assistants.agent.parameters import sampling
from assistants.agent.source import Source
from assistants.agent.upstream import Upstream
from assistants.catalogue import AssistantEntry, Endpoint


def sources(upstream: Upstream, assistant: AssistantEntry, asked: Mapping[str, Any]) -> Iterator[Source]:
    """Its own, and then the one that stands in for it. Raises UpstreamFailed."""
    for endpoint in (assistant.endpoint, assistant.fallback):
        if endpoint is not None:
            yield source(upstream, endpoint, sampling(assistant.parameters, asked, endpoint))


def source(upstream: Upstream, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Source:
    """Raises UpstreamFailed."""
    if endpoint.kind == "openai":
        return CompatibleSource(upstream, endpoint, parameters)
    return native.connect(endpoint, parameters)
