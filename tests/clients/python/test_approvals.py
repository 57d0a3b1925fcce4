"""Calls that somebody must agree to: openai-python and LangChain, which know nothing of that."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import product
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from product import ECHO

STEPS = ({"tool_calls": [ECHO]}, {"text": "Done."})
GO: Any = {"role": "user", "content": "Say hi."}
ON: Any = {"role": "user", "content": "Well?"}
SAID = '{"say": "hi"}'


@pytest.fixture(scope="module")
def client() -> openai.OpenAI:
    return openai.OpenAI(api_key=product.KEY, base_url=product.URL, max_retries=0, timeout=60)


def told(client: openai.OpenAI, model: str, *messages: Any, streamed: bool = False) -> Any:
    given: Any = {"model": model, "messages": [GO, *messages]}
    if not streamed:
        return client.chat.completions.create(**given).choices[0].message
    with client.chat.completions.stream(**given) as stream:
        return stream.get_final_completion().choices[0].message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("decision", "result"), [("approve", SAID), ("reject", "Too loud.")])
def test_a_held_answer(client: openai.OpenAI, streamed: bool, decision: str, result: str) -> None:
    model = product.asking_assistant("staff", *STEPS)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(told, client, model, streamed=streamed)
        fields = {"reason": "Too loud."} if decision == "reject" else {}
        product.decide(product.waiting(model), decision, **fields)
        assert answer.result().content == "Done."
    assert result in product.shown(model)[0]


@pytest.mark.parametrize("streamed", [False, True])
def test_approved_after_the_answer_ended(client: openai.OpenAI, streamed: bool) -> None:
    model = product.asking_assistant("staff", *STEPS)
    held = told(client, model, streamed=streamed)
    number = product.waiting(model)
    assert f"/admin/assistants/approval/{number}/" in held.content
    product.decide(number, "approve")
    product.wait_until_done(number)
    assert told(client, model, held, ON, streamed=streamed).content == "Done."
    assert product.shown(model) == [SAID]


def test_approved_with_other_arguments(client: openai.OpenAI) -> None:
    model = product.asking_assistant("staff", *STEPS)
    held = told(client, model)
    number = product.waiting(model)
    product.decide(number, "approve", arguments={"say": "good day"})
    product.wait_until_done(number)
    told(client, model, held, ON)
    assert "good day" in product.shown(model)[0]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_code_in_the_chat(client: openai.OpenAI, streamed: bool) -> None:
    model = product.asking_assistant("caller", *STEPS)
    held = told(client, model, streamed=streamed)
    agreed = {"role": "user", "content": re.search("approve apc-[a-z2-7]+", held.content)[0]}
    assert told(client, model, held, agreed, streamed=streamed).content == "Done."
    assert product.shown(model) == [SAID]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("approver", ["staff", "caller"])
def test_langchain(streams: bool, approver: str) -> None:
    slug = product.asking_assistant(approver, *STEPS)
    model = ChatOpenAI(
        model=slug, api_key=product.KEY, base_url=product.URL, max_retries=0, timeout=60, streaming=streams
    )
    asked = HumanMessage("Say hi.")
    held = model.invoke([asked])
    assert isinstance(held, AIMessage)
    text = "Well?"
    if approver == "staff":
        number = product.waiting(slug)
        product.decide(number, "approve")
        product.wait_until_done(number)
    else:
        text = re.search("approve apc-[a-z2-7]+", held.text)[0]
    assert model.invoke([asked, held, HumanMessage(text)]).text == "Done."
    assert product.shown(slug) == [SAID]


@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("streamed", [False, True])
def test_approval_items(client: openai.OpenAI, streamed: bool, approve: bool) -> None:
    model = product.assistant(*STEPS)
    tools: Any = [{"type": "mcp", "server_label": "clients", "require_approval": "always"}]
    given: dict[str, Any] = {"model": model, "tools": tools}
    first = responded(client, streamed, input="Say hi.", **given)
    [request] = [item for item in first.output if item.type == "mcp_approval_request"]
    answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": approve}
    second = responded(client, streamed, input=[answer], previous_response_id=first.id, **given)
    assert second.output_text == "Done."
    calls = [(item.approval_request_id, item.output) for item in second.output if item.type == "mcp_call"]
    assert calls == ([(request.id, SAID)] if approve else [])


def test_items_that_are_sent_back(client: openai.OpenAI) -> None:
    model = product.assistant(*STEPS)
    tools: Any = [{"type": "mcp", "server_label": "clients", "require_approval": "always"}]
    given: dict[str, Any] = {"model": model, "tools": tools, "store": False}
    items: list[Any] = [GO]
    first = client.responses.create(input=items, **given)
    [request] = [item for item in first.output if item.type == "mcp_approval_request"]
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items.append({"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True})
    assert client.responses.create(input=items, **given).output_text == "Done."
    assert product.shown(model) == [SAID]


def responded(client: openai.OpenAI, streamed: bool, **fields: Any) -> Any:
    if not streamed:
        return client.responses.create(**fields)
    with client.responses.stream(**fields) as stream:
        for _ in stream:
            pass
        return stream.get_final_response()
