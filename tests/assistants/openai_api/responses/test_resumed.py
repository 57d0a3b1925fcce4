"""The stream of a background response: left, and resumed where it was left."""

import httpx
import openai

from tests.assistants.openai_api.responses.conftest import ECHO
from tests.assistants.openai_api.responses.test_stream import Events, events_of
from tests.llm import ScriptedLLM
from tests.stack import wait_for

SLOW = {"text": "word " * 20, "chunk_delay_s": 0.1}


def resumed(http: httpx.Client, response_id: str, after: int | None = None) -> Events:
    query = {"stream": "true"} if after is None else {"stream": "true", "starting_after": str(after)}
    answer = http.get(f"/v1/responses/{response_id}", params=query)
    return events_of(answer.text, first=0 if after is None else after + 1)


def test_it_is_streamed_as_it_is_given(client: openai.OpenAI, llm: ScriptedLLM, equipped: str) -> None:
    llm.script(equipped, {"tool_calls": [ECHO]}, SLOW)
    with client.responses.stream(model=equipped, input="Say hi", background=True) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert response.output_text == SLOW["text"]
    assert client.responses.retrieve(response.id).output_text == SLOW["text"]


def test_who_leaves_can_come_back(
    client: openai.OpenAI, http: httpx.Client, llm: ScriptedLLM, equipped: str
) -> None:
    llm.script(equipped, {"tool_calls": [ECHO]}, SLOW)
    with client.responses.create(model=equipped, input="Say hi", background=True, stream=True) as stream:
        for event in stream:
            if event.type == "response.created":
                response_id = event.response.id
            if event.type == "response.output_text.delta":
                break
    wait_for(lambda: client.responses.retrieve(response_id).status == "completed", within_s=40)
    whole = resumed(http, response_id)
    assert whole[-1]["response"]["output"][-1]["content"][0]["text"] == SLOW["text"]
    for after in (0, 3, event.sequence_number, len(whole) - 2, len(whole) - 1, len(whole), 99_999):
        assert resumed(http, response_id, after) == whole[after + 1 :]
    assert llm.requests(equipped)[-1]["outcome"] == "answered"


def test_the_sdk_comes_back(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, SLOW)
    response = client.responses.create(model=model, input="Hello", background=True)
    with client.responses.stream(response_id=response.id, starting_after=5) as stream:
        numbers = [event.sequence_number for event in stream]
        assert stream.get_final_response().output_text == SLOW["text"]
    assert numbers == list(range(6, 6 + len(numbers)))


def test_a_failure_ends_the_stream(
    client: openai.OpenAI, http: httpx.Client, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"status": 401, "body": "no"})
    response = client.responses.create(model=model, input="Hello", background=True)
    *_, error, failed = resumed(http, response.id)
    assert (error["type"], error["code"]) == ("error", "upstream_auth_error")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
