"""The code in docs/clients.md runs as it stands there, but for the address, the key and the model."""

import re

import pytest

from tests.clients.worlds import ROOT, World
from tests.stack import Stack

BLOCKS = re.findall(
    r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / "clients.md").read_text(), re.MULTILINE | re.DOTALL
)
QUESTION = "What time is it in Asia/Shanghai?"

pytestmark = pytest.mark.timeout(300)  # the first run installs


@pytest.fixture(scope="session")
def mine(stack: Stack) -> dict[str, str]:
    """What is documented, and what it is here. The LLM has no script: it repeats the question."""
    key = stack.key("reader")
    stack.assistant("documented", keys=(key,))
    return {"http://127.0.0.1:8000": stack.url, "ak-...": key.key, '"demo"': '"documented"'}


@pytest.mark.parametrize(
    ("language", "code"),
    [block for block in BLOCKS if block[0] not in {"yaml", "toml"}],
    ids=lambda each: each.split("\n")[0],
)
def test_the_documented_code_runs(
    request: pytest.FixtureRequest, mine: dict[str, str], language: str, code: str
) -> None:
    world: World = request.getfixturevalue({"python": "python", "js": "node", "sh": "shell"}[language])
    for documented, here in mine.items():
        assert documented in code
        code = code.replace(documented, here)
    assert f"You said: {QUESTION}" in world.evaluate(code)
