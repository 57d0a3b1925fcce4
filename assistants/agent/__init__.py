"""The agent: Strands' loop of model and tools behind one function, `run`. Nothing else imports Strands.

A delta of the model's text goes from `llm.openai_compatible` (bytes) to `llm.completion` (text) to
`strands_model` (rounds) to `run` (events). Strands gets each answer once it is whole, and decides about
tools.
"""

from assistants.agent import telemetry
from assistants.agent.run import RunRequest, lifespan, run

__all__ = ["RunRequest", "lifespan", "run"]

telemetry.silence_strands()
