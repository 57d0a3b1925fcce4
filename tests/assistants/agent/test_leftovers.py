"""A run leaves nothing that only a collection of garbage would free: its texts may be large."""

from tests.assistants.agent.conftest import Assistant, client_tool
from tests.garbage import no_cycles


async def test_a_run(assistant: Assistant) -> None:
    assistant.script({"text": "Hello there, friend"}, {"text": "Hello again"})
    await assistant.events()
    with no_cycles("assistants."):
        await assistant.events()


async def test_tools_of_the_caller(assistant: Assistant) -> None:
    assistant.script({"text": "Hello there, friend"}, {"text": "Hello again"})
    await assistant.events(client_tools=[client_tool("look")])
    with no_cycles("assistants."):
        await assistant.events(client_tools=[client_tool("look")])
