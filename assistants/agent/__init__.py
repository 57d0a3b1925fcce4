"""The agent: a model, or Strands' loop of model and tools, behind one function, `run`.

Nothing else imports Strands. A delta of the model's text goes from `llm.openai_compatible` (bytes) to
`llm.completion` (text) to `run_model` (rounds) to `run` (events). Where the model has tools, Strands gets
each answer once it is whole, and decides what follows; without tools nothing does (docs/decisions/0031).
"""

from assistants.agent import strands_without_boto3  # noqa: F401, I001 - before what imports Strands
from assistants.agent import telemetry
from assistants.agent.run import count_input, lifespan, run
from assistants.agent.run_request import RunRequest
from assistants.agent.warm_up import warm_up

__all__ = ["RunRequest", "count_input", "lifespan", "run", "warm_up"]

telemetry.silence_strands()
