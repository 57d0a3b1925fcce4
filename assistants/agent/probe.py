"""Whether an LLM service answers at all."""

from assistants.agent.ask import ask
from assistants.catalogue.endpoints import Endpoint

DEADLINE_S = 30.0
QUESTION = "Answer with one word: ready."
LONGEST_ANSWER = 16
"""Tokens."""


async def probe(endpoint: Endpoint) -> str:
    """The service's answer to a small question. Raises UpstreamFailed."""
    return await ask(endpoint, QUESTION, within_s=DEADLINE_S, max_tokens=LONGEST_ANSWER)
