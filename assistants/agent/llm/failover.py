"""Which services answer for an assistant."""

from collections.abc import Iterator, Mapping
from typing import Any

from assistants.agent.llm import vendor_sdks
from assistants.agent.llm.client import Source
from assistants.agent.llm.http import Upstream
from assistants.agent.llm.openai_compatible import CompatibleSource
from assistants.agent.llm.sampling import sampling
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry


def sources(upstream: Upstream, assistant: AssistantEntry, asked: Mapping[str, Any]) -> Iterator[Source]:
    """Its own, and then the one that stands in for it. Raises UpstreamFailed."""
    for endpoint in (assistant.endpoint, assistant.fallback):
        if endpoint is not None:
            yield source(upstream, endpoint, sampling(assistant.parameters, asked, endpoint))


def source(upstream: Upstream, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Source:
    """Raises UpstreamFailed."""
    if endpoint.kind == "openai":
        return CompatibleSource(upstream, endpoint, parameters)
    return vendor_sdks.connect(endpoint, parameters)
