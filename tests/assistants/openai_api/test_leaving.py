"""A caller who leaves cancels its run: the model's call ends within a second."""

import asyncio

import httpx
import openai
import pytest

from tests.assistants.openai_api.conftest import HELLO
from tests.llm import ScriptedLLM


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_the_first_byte(
    client: openai.OpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, {"text": "too late", "delay_s": 30})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model=model, messages=HELLO, stream=stream)
    llm.wait_for_outcome(model, "disconnected", within_s=1)


def test_leaving_while_the_answer_is_collected(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.5).chat.completions.create(model=model, messages=HELLO)
    llm.wait_for_outcome(model, "disconnected", within_s=1)


def test_leaving_in_the_middle_of_a_stream(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1})
    with client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    llm.wait_for_outcome(model, "disconnected", within_s=1)


async def test_many_who_leave_leave_nothing_behind(
    async_client: openai.AsyncOpenAI, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1, "repeat": True})

    async def look_in() -> None:
        async with await async_client.chat.completions.create(
            model=model, messages=HELLO, stream=True
        ) as stream:
            await anext(aiter(stream))

    await asyncio.gather(*(look_in() for _ in range(30)))
    await asyncio.sleep(1)
    outcomes = {request["outcome"] for request in llm.requests(model)}
    assert outcomes == {"disconnected"}
    assert len(llm.requests(model)) == 30


def test_the_process_answers_others_meanwhile(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "too late", "delay_s": 30, "repeat": True})
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": model, "messages": HELLO}, timeout=0.3)
    assert http.get("/v1/models", timeout=1).status_code == 200
