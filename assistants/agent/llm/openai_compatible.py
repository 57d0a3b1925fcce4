"""The client of OpenAI-compatible services, which nearly every assistant uses (docs/decisions/0014)."""

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import aiohttp
import orjson

from assistants.agent.llm import sse
from assistants.agent.llm.chat_messages import to_openai
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.http import ConnectionPool
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from core.bounded_read import read_at_most
from core.message import Message

_GEMINI_HOSTS = {"generativelanguage.googleapis.com", "aiplatform.googleapis.com"}


class OpenAICompatibleClient:
    def __init__(self, pool: ConnectionPool, endpoint: Endpoint, parameters: Mapping[str, Any]) -> None:
        self.model, self.kind = endpoint.model, endpoint.kind
        self.service = endpoint.base_url
        self.takes_image_addresses = endpoint.takes_image_addresses
        self._pool = pool
        self._endpoint = endpoint
        self._parameters = parameters
        self._is_gemini = urlsplit(endpoint.base_url).hostname in _GEMINI_HOSTS

    async def answer(self, asked: Round, completion: Completion) -> None:
        """See LLMClient."""
        try:
            async with self._pool.post(self._endpoint, self._body(asked)) as response:
                await _read(response, completion)
        except UpstreamFailed:
            # Behind the finish reason only the usage may follow: a connection that breaks there costs nobody
            # an answer.
            if completion.finish_reason is None:
                raise
        if not completion.is_complete:
            _raise_truncated(completion)

    def _body(self, asked: Round) -> bytes:
        body = {
            **self._parameters,
            "model": self._endpoint.model,
            "messages": to_openai(
                asked.messages, asked.system_prompt, asked.reasoning_field, is_own=asked.is_own
            ),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if asked.specs:
            body["tools"] = [(spec.plain if self._is_gemini else spec).definition for spec in asked.specs]
            if asked.tool_choice is not None:
                body["tool_choice"] = asked.tool_choice
        else:  # OpenAI refuses an empty list, and this without tools
            body.pop("parallel_tool_calls", None)
        return orjson.dumps(body)


async def _read(response: aiohttp.ClientResponse, completion: Completion) -> None:
    """Feed the payloads of the answer to `completion`."""
    if "json" in response.content_type:  # some services do not stream, although they were asked to
        completion.feed(await read_at_most(response, sse.MAX_EVENT_BYTES))
        return
    decoder = sse.Decoder()
    async for chunk in response.content.iter_any():
        for payload in decoder.feed(chunk):
            completion.feed(payload)
        if completion.is_done:  # some services do not close the stream after [DONE]
            return
    for payload in decoder.end():
        completion.feed(payload)


def _raise_truncated(completion: Completion) -> NoReturn:
    if completion.is_empty:
        message = Message("The language model's service did not answer with a completion.")
        raise UpstreamFailed("upstream_invalid_response", message)
    raise UpstreamFailed("upstream_error", Message("The language model's answer broke off."))
