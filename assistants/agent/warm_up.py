"""A run that makes what all runs of a process share, of an assistant that nobody has: no model is asked."""

from assistants.agent.run import count_input
from assistants.agent.run_request import RunRequest
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import AssistantEntry, FunctionEntry


async def warm_up() -> None:
    """Raises what `count_input` raises."""
    await count_input(RunRequest(_assistant(), [{"role": "user", "content": "Are you ready?"}]))


def _assistant() -> AssistantEntry:
    function = FunctionEntry(0, "", "", "ready", "ready", "Says yes.", {"type": "object"}, 1.0)
    return AssistantEntry(
        id=0,
        slug="",
        name="",
        created=0,
        system_prompt="",
        endpoint=Endpoint("", "", ""),
        parameters={},
        max_rounds=1,
        functions=(function,),
        servers=(),
        api_key_ids=frozenset(),
    )
