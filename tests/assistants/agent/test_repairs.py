"""Texts and arguments of real LLM services that are no valid Unicode or JSON."""

import json

import pytest

from assistants.events import (
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from tests.assistants.agent.conftest import Assistant, client_tool
from tests.assistants.agent.turns import client_calls, escaped


@pytest.mark.parametrize("name", ["content", "reasoning_content", "refusal"])
@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (["a\\ud83d", "\\ude00b"], "a\U0001f600b"),
        (["a\\ud83d", "b"], "a\ufffdb"),
        (["a", "\\ud83d"], "a\ufffd"),
        (["\\ude00b"], "\ufffdb"),
        (["a\\u0000b"], "a\ufffdb"),
    ],
)
async def test_texts_are_repaired(assistant: Assistant, name: str, parts: list[str], shown: str) -> None:
    assistant.script(escaped("|".join(f'{{"{name}":"{part}"}}' for part in parts)))
    events = await assistant.events()
    texts = [e.text for e in events if isinstance(e, TextDelta | ReasoningDelta | RefusalDelta)]
    assert "".join(texts) == shown


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{\\"n\\":\\"\\\\ud83d\\"}', "\ufffd"),
        ('{\\"n\\":\\"\\ud83d\\"}', "\ufffd"),
        ('{\\"n\\":\\"\\\\u0000\\"}', "\ufffd"),
        ('{\\"n\\":\\"\\\\ud83d\\\\ude00\\"}', "\U0001f600"),
    ],
)
async def test_arguments_are_repaired(assistant: Assistant, arguments: str, given: str) -> None:
    function = f'{{"name":"weather","arguments":"{arguments}"}}'
    assistant.script(escaped(f'{{"tool_calls":[{{"index":0,"id":"\\ud83d","function":{function}}}]}}'))
    [returned] = client_calls(await assistant.events(client_tools=[client_tool("weather")]))
    assert json.loads(returned.arguments) == {"n": given}
