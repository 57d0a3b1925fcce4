"""Whether an LLM service answers at all."""

import asyncio
from contextlib import aclosing

from assistants.agent import history
from assistants.agent.model import RunModel
from assistants.agent.parameters import sampling
from assistants.agent.sources import source
from assistants.agent.upstream import connected
from assistants.catalogue import Endpoint
from assistants.errors import UpstreamFailed

DEADLINE_S = 30.0
QUESTION = [{"role": "user", "content": "Answer with one word: ready."}]
LONGEST_ANSWER = 16
"""Tokens."""


async def probe(endpoint: Endpoint) -> str:
    """The service's answer to a small question, asked as every run asks. Raises UpstreamFailed."""
    try:
        async with asyncio.timeout(DEADLINE_S), connected() as upstream:
            parameters = sampling({"max_tokens": LONGEST_ANSWER}, {}, endpoint)
            model = RunModel(source(upstream, endpoint, parameters), tool_choice=None, max_rounds=0)
            return await _text(model)
    except TimeoutError as error:
        message = "The language model's service did not answer in time."
        raise UpstreamFailed("upstream_timeout", message) from error


async def _text(model: RunModel) -> str:
    texts: list[str] = []
    async with aclosing(model.stream(history.to_strands(QUESTION))) as events:
        async for event in events:
            if delta := event.get("contentBlockDelta"):
                texts.append(delta["delta"].get("text", ""))
    return "".join(texts)
