"""One question to an LLM, outside of any run."""

import asyncio
from typing import Any

from assistants.agent import messages
from assistants.agent.llm import failover
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.http import connection_pool
from assistants.agent.llm.sampling import sampling
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from core.message import Message

PROBE_DEADLINE_S = 30.0
PROBE_QUESTION = "Answer with one word: ready."
PROBE_MOST_TOKENS = 16


async def probe(endpoint: Endpoint) -> str:
    """Returns a service's answer to a small question, to see whether it answers. Raises UpstreamFailed."""
    return await ask(endpoint, PROBE_QUESTION, within_s=PROBE_DEADLINE_S, max_tokens=PROBE_MOST_TOKENS)


async def ask(
    endpoint: Endpoint, question: str, *, within_s: float, instructions: str | None = None, **parameters: Any
) -> str:
    """Returns the answer. `parameters` are spelled as an assistant's. Raises UpstreamFailed."""
    history = messages.to_strands([{"role": "user", "content": question}])
    completion = Completion()
    asked = Round(history, instructions, (), None, completion.reasoning_field)
    try:
        # A pool of its own: Celery tasks and the admin ask, in event loops that end with their question.
        async with asyncio.timeout(within_s), connection_pool() as pool:
            client = await failover.client(pool, endpoint, sampling(parameters, {}, endpoint))
            await client.answer(asked, completion)
            completion.end()
    except TimeoutError as error:
        message = Message("The language model's service did not answer in time.")
        raise UpstreamFailed("upstream_timeout", message) from error
    return completion.text
