"""What the console's tab Connect offers to copy runs as it stands there, with a key in the environment."""

import json

import pytest

from assistants.console.connect import CLIENTS, Client, snippets
from tests.clients.worlds import World
from tests.stack import Stack

WORLDS = {
    "sh": ("shell", "API_KEY={}\n"),
    "py": ("python", "import os; os.environ['API_KEY'] = {}\n"),
    "mjs": ("node", "process.env.API_KEY = {};\n"),
}
COMMANDS = {"Claude Code"}
"""Of programs that are not ours to run."""
PROGRAMS = [
    client
    for client in CLIENTS
    if client.file.removesuffix(".txt").rpartition(".")[2] in WORLDS and client.name not in COMMANDS
]

pytestmark = pytest.mark.timeout(300)  # the first run installs


def test_five_clients_are_programs() -> None:
    assert [client.name for client in PROGRAMS] == ["curl", "Python", "Node", "LangChain", "AI SDK"]


@pytest.mark.parametrize("client", PROGRAMS, ids=lambda client: client.id)
def test_copied_settings_reach_the_assistant(
    request: pytest.FixtureRequest, stack: Stack, client: Client
) -> None:
    fixture, with_key = WORLDS[client.file.removesuffix(".txt").rpartition(".")[2]]
    world: World = request.getfixturevalue(fixture)
    key, slug = stack.key(client.id), f"connect-{client.id}"
    stack.assistant(slug, keys=(key,))
    stack.llm.script(slug, {"text": "It works."})
    (code,) = [each.code for each in snippets(stack.url, slug) if each.client == client]
    assert "It works." in world.evaluate(with_key.format(json.dumps(key.key)) + code)
