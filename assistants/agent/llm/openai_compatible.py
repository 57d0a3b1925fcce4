"""OpenAI-compatible services: the source of nearly everyone's answers, and the fast one."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NoReturn

import orjson

from assistants.agent.llm.chat_messages import to_wire
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion, Delta
from assistants.agent.llm.http import Upstream
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed


class CompatibleSource:
    def __init__(self, upstream: Upstream, endpoint: Endpoint, parameters: Mapping[str, Any]) -> None:
        self.model = endpoint.model
        self._upstream = upstream
        self._endpoint = endpoint
        self._parameters = parameters

    async def answer(self, asked: Round, completion: Completion) -> AsyncGenerator[Delta, None]:
        try:
            async with aclosing(self._upstream.stream(self._endpoint, self._body(asked))) as batches:
                async for payloads in batches:
                    for payload in payloads:
                        yield completion.feed(payload)
        except UpstreamFailed:
            if completion.finish_reason is None:
                raise
        if not completion.is_complete:
            _raise_truncated(completion)

    def _body(self, asked: Round) -> bytes:
        body = {
            **self._parameters,
            "model": self._endpoint.model,
            "messages": to_wire(asked.messages, asked.system_prompt, asked.reasoning_field),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if asked.specs:
            body["tools"] = [spec.definition for spec in asked.specs]
            if asked.tool_choice is not None:
                body["tool_choice"] = asked.tool_choice
        else:  # OpenAI refuses an empty list, and this without tools
            body.pop("parallel_tool_calls", None)
        return orjson.dumps(body)


def _raise_truncated(completion: Completion) -> NoReturn:
    if completion.is_empty:
        message = "The language model's service did not answer with a completion."
        raise UpstreamFailed("upstream_invalid_response", message)
    raise UpstreamFailed("upstream_error", "The language model's answer broke off.")
