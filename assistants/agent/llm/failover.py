"""The LLM clients of an assistant: its own service, and the one that takes over when that fails."""

from collections.abc import Mapping
from typing import Any

from assistants.agent.llm import vendor_sdks
from assistants.agent.llm.client import LLMClient
from assistants.agent.llm.http import ConnectionPool
from assistants.agent.llm.openai_compatible import OpenAICompatibleClient
from assistants.agent.llm.sampling import sampling
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry


async def clients(
    pool: ConnectionPool, assistant: AssistantEntry, asked: Mapping[str, Any]
) -> list[LLMClient]:
    """Returns the client of the assistant's service, then that of its fallback. Raises UpstreamFailed.

    `asked` are the parameters of the request, which override the assistant's.
    """
    endpoints = [each for each in (assistant.endpoint, assistant.fallback) if each is not None]
    return [await client(pool, each, sampling(assistant.parameters, asked, each)) for each in endpoints]


async def client(pool: ConnectionPool, endpoint: Endpoint, parameters: Mapping[str, Any]) -> LLMClient:
    """Raises UpstreamFailed where the package for this kind of service is not installed."""
    if endpoint.kind == "openai":
        return OpenAICompatibleClient(pool, endpoint, parameters)
    return await vendor_sdks.connect(endpoint, parameters)
