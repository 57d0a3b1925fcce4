"""Real clients in versions of their own: what each of them makes of our answers."""

import re

import pytest

from tests.clients.worlds import World

pytestmark = pytest.mark.timeout(300)  # the first run installs


@pytest.mark.parametrize(
    "file", ["test_openai.py", "test_langchain.py", "test_responses.py", "test_approvals.py"]
)
def test_a_client_in_python(python: World, file: str) -> None:
    python.test(file)


def test_langchains_standard_tests(python: World) -> None:
    said = python.test("test_langchain_standard.py")
    assert re.search(r"^46 passed, 4 skipped\b", said, re.MULTILINE), said  # PDF twice, audio, cassettes


@pytest.mark.parametrize("file", ["openai.test.mjs", "ai-sdk.test.mjs", "responses.test.mjs"])
def test_a_client_in_node(node: World, file: str) -> None:
    node.test(file)
