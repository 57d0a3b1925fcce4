"""The agent: Strands' loop behind one function. Nothing else in the house imports Strands."""

from assistants.agent import telemetry
from assistants.agent.run import RunRequest, lifespan, run

__all__ = ["RunRequest", "lifespan", "run"]

telemetry.silence_strands()
