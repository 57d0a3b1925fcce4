"""A caller who leaves cancels its run: the model's call ends at once."""

import asyncio

import httpx
import openai
import pytest

from tests.assistants.openai_api.conftest import HELLO
from tests.connector.conftest import wait_for
from tests.llm import ScriptedLLM
from tests.stack import TIMES

READ_TIMEOUT_S = float(TIMES["LLM_READ_TIMEOUT_S"])
"""For this long the model would be waited for, if nobody noticed that the caller has left."""


@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_before_the_first_byte(
    async_client: openai.AsyncOpenAI, llm: ScriptedLLM, model: str, stream: bool
) -> None:
    llm.script(model, {"text": "too late", "delay_s": 30})
    create = async_client.chat.completions.create
    asking = asyncio.ensure_future(create(model=model, messages=HELLO, stream=stream))
    await wait_for(lambda: llm.requests(model))
    asking.cancel()
    await asyncio.wait([asking])
    llm.wait_for_outcome(model, "disconnected", within_s=READ_TIMEOUT_S - 0.5)


def test_leaving_while_the_answer_is_collected(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=2).chat.completions.create(model=model, messages=HELLO)
    llm.wait_for_outcome(model, "disconnected", within_s=6)


def test_leaving_in_the_middle_of_a_stream(client: openai.OpenAI, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "word " * 100, "chunk_delay_s": 0.1})
    with client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    llm.wait_for_outcome(model, "disconnected", within_s=8)


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
    await wait_for(lambda: {request["outcome"] for request in llm.requests(model)} == {"disconnected"})
    assert len(llm.requests(model)) == 30


def test_the_process_answers_others_meanwhile(http: httpx.Client, llm: ScriptedLLM, model: str) -> None:
    llm.script(model, {"text": "too late", "delay_s": 30, "repeat": True})
    with pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json={"model": model, "messages": HELLO}, timeout=0.3)
    assert http.get("/v1/models", timeout=READ_TIMEOUT_S - 0.5).status_code == 200
