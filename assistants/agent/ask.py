"""One question to an LLM, outside of any run."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from assistants.agent import messages
from assistants.agent.llm.failover import source
from assistants.agent.llm.http import connected
from assistants.agent.llm.sampling import sampling
from assistants.agent.strands_model import RunModel
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed

PROBE_DEADLINE_S = 30.0
PROBE_QUESTION = "Answer with one word: ready."
PROBE_MOST_TOKENS = 16


async def probe(endpoint: Endpoint) -> str:
    """Returns a service's answer to a small question, to see whether it answers. Raises UpstreamFailed."""
    return await ask(endpoint, PROBE_QUESTION, within_s=PROBE_DEADLINE_S, max_tokens=PROBE_MOST_TOKENS)


async def ask(
    endpoint: Endpoint, question: str, *, within_s: float, instructions: str | None = None, **parameters: Any
) -> str:
    """The answer, asked for as runs ask. `parameters`: as an assistant has them. Raises UpstreamFailed."""
    try:
        async with asyncio.timeout(within_s), connected() as upstream:
            service = source(upstream, endpoint, sampling(parameters, {}, endpoint))
            model = RunModel(service, tool_choice=None, max_rounds=0)
            return await _text(model, {"role": "user", "content": question}, instructions)
    except TimeoutError as error:
        message = "The language model's service did not answer in time."
        raise UpstreamFailed("upstream_timeout", message) from error


async def _text(model: RunModel, question: Mapping[str, Any], instructions: str | None) -> str:
    texts: list[str] = []
    async with aclosing(model.stream(messages.to_strands([question]), None, instructions)) as events:
        async for event in events:
            if delta := event.get("contentBlockDelta"):
                texts.append(delta["delta"].get("text", ""))
    return "".join(texts)
