"""The LLM clients of an assistant: its own service, and the one that takes over when that fails."""

from collections.abc import Mapping
from typing import Any

from assistants.agent.llm import vendor_sdks
from assistants.agent.llm.client import LLMClient, Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.http import ConnectionPool
from assistants.agent.llm.openai_compatible import OpenAICompatibleClient
from assistants.agent.llm.sampling import sampling
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry
from assistants.errors import UpstreamFailed
from core.message import Message
from tools.secrets.encryption import Unreadable


class KeylessClient:
    """Stands for a service whose key cannot be decrypted: it fails when it is asked, as the service would."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.model, self.kind = endpoint.model, endpoint.kind
        self.service = endpoint.base_url
        self.takes_image_addresses = endpoint.takes_image_addresses

    async def answer(self, asked: Round, completion: Completion) -> None:
        """Raises UpstreamFailed."""
        message = Message(
            "The provider's API key cannot be decrypted: whoever runs this server has to restore its key in"
            " SECRET_ENCRYPTION_KEYS, or to enter the API key anew."
        )
        raise UpstreamFailed("upstream_auth_error", message, may_retry=False)


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
    if isinstance(endpoint.api_key, Unreadable):
        return KeylessClient(endpoint)
    if endpoint.kind == "openai":
        return OpenAICompatibleClient(pool, endpoint, parameters)
    return await vendor_sdks.connect(endpoint, parameters)
