"""ChatOpenAI where the assistant has tools of its own, which LangChain's standard tests do not know of."""

from collections.abc import Callable
from typing import Any

import openai
import product
import pytest
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from product import ECHO, LOOK
from pydantic import BaseModel

Model = Runnable[LanguageModelInput, AIMessage]
Ask = Callable[[Model, LanguageModelInput], AIMessage]


@tool
def look(at: str) -> str:
    """Look at something."""
    return f"{at} is blue"


class City(BaseModel):
    name: str
    people: int


def chat(*steps: dict[str, Any]) -> ChatOpenAI:
    model = product.assistant(*steps)
    return ChatOpenAI(model=model, api_key=product.KEY, base_url=product.URL, max_retries=0, timeout=20)


def invoked(model: Model, messages: LanguageModelInput) -> AIMessage:
    return model.invoke(messages)


def streamed(model: Model, messages: LanguageModelInput) -> AIMessage:
    first, *rest = model.stream(messages)
    return sum(rest, first)


def test_our_tools_run_unseen() -> None:
    model = chat({"text": "Wait. ", "tool_calls": [ECHO]}, {"text": "It said hi."})
    message = streamed(model, "Hello")
    assert (message.text, message.tool_calls) == ("Wait. It said hi.", [])
    assert message.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize("ask", [invoked, streamed])
def test_both_kinds_of_tools_in_one_turn(ask: Ask) -> None:
    model = chat({"tool_calls": [ECHO, LOOK]}, {"text": "It said hi, and is blue."})
    bound = model.bind_tools([look])
    question = HumanMessage("Hello")
    message = ask(bound, [question])
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("look", LOOK["arguments"])
    answer = bound.invoke([question, message, look.invoke(call)])
    assert (answer.text, answer.tool_calls) == ("It said hi, and is blue.", [])
    assert product.shown(model.model_name) == ["the sky is blue", '{"say": "hi"}']


def test_a_structured_answer_after_our_tools() -> None:
    model = chat({"tool_calls": [ECHO]}, {"text": '{"name": "Brno", "people": 400000}'})
    assert model.with_structured_output(City).invoke("Hello") == City(name="Brno", people=400_000)


def test_an_error_in_a_stream_is_raised() -> None:
    with pytest.raises(openai.APIError, match="broke"):
        streamed(chat({"text": "one two three", "cut_after": 3}), "Hello")
