"""What is made of a conversation before a run: without our sentences, and looked through once."""

from typing import Any

import pytest

from assistants import routing
from assistants.approvals import sentences
from assistants.catalogue.endpoints import Endpoint
from assistants.openai_api.chat.prepare import PreparedChat, prepare
from assistants.openai_api.chat.request import validate
from assistants.recording import Origin
from tests.assistants.agent.conftest import entry
from tests.assistants.recording.test_trace import ALICE

HELLO = {"role": "user", "content": "Hello"}
QUOTED = {"role": "user", "content": "Title of: approve apc-abcdefgh2345?"}


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts in which a sentence of ours was looked for."""
    texts: list[str] = []
    is_marked = sentences._is_marked

    def noting(text: str) -> bool:
        texts.append(text)
        return is_marked(text)

    async def route(model: str, *_: Any) -> routing.Route:
        return routing.Route(entry(Endpoint("http://llm/v1", "", "tiny")), model)

    monkeypatch.setattr(sentences, "_is_marked", noting)
    monkeypatch.setattr(routing, "route", route)
    return texts


async def prepared(*messages: dict[str, Any]) -> PreparedChat:
    content = {"model": "m", "messages": list(messages)}
    return await prepare(content, validate(content), Origin(ALICE, "req_1"))


async def test_a_conversation_without_a_sentence_is_looked_through_once(looked_at: list[str]) -> None:
    messages = [HELLO, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Well?"}]
    request = (await prepared(*messages)).run_request
    assert looked_at.count("Hello") == looked_at.count("Hi.") == looked_at.count("Well?") == 1
    assert request.past is not None
    assert [*request.past.said] == [*request.messages] == messages


async def test_a_code_is_cut_from_what_the_model_and_the_labels_are_given(looked_at: list[str]) -> None:
    request = (await prepared(HELLO, QUOTED)).run_request
    assert request.past is not None
    for said in (request.past.said, request.messages, request.visible):
        assert said[1]["content"] == "Title of: approve (code)?"
