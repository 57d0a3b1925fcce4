"""Strands' models as LLM clients: its own OpenAI model, over real HTTP, represents all of them."""

import logging
import sys
from typing import Any

import pytest
from strands.models.openai import OpenAIModel

from assistants.agent import messages
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.spec import Spec
from assistants.agent.llm.vendor_sdks import VendorSDKClient, connect
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from tests.assistants.agent.conftest import CANARY, Assistant, client_tool, text
from tests.llm import ScriptedLLM

ASKED = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def client(assistant: Assistant) -> VendorSDKClient:
    options = {"base_url": assistant.endpoint.base_url, "api_key": CANARY, "max_retries": 0}
    return VendorSDKClient(OpenAIModel(client_args=options, model_id=assistant.conversation), "vendor")


def asked(**changes: Any) -> Round:
    fields: dict[str, Any] = {"system_prompt": None, "specs": [], "tool_choice": None, "reasoning_field": ""}
    return Round(messages=messages.to_strands(ASKED), **fields | changes)


async def answer(client: VendorSDKClient, asked: Round) -> Completion:
    completion = Completion()
    await client.answer(asked, completion)
    return completion


async def test_text_and_usage(assistant: Assistant, client: VendorSDKClient) -> None:
    assistant.script(
        {"text": "Hello there.", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
    )
    completion = await answer(client, asked(system_prompt="You help."))
    assert completion.text == "Hello there."
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 3)
    assert (completion.finish_reason, completion.is_complete) == ("stop", True)


async def test_calls_under_ids_of_ours(assistant: Assistant, client: VendorSDKClient) -> None:
    assistant.script({"tool_calls": [{"name": "weather", "arguments": {"city": "Brno"}, "id": "theirs"}]})
    choice = {"type": "function", "function": {"name": "weather"}}
    completion = await answer(client, asked(specs=[Spec.of(client_tool("weather"))], tool_choice=choice))
    [call] = completion.calls
    assert (call.name, call.arguments) == ("weather", '{"city": "Brno"}')
    assert call.id != "theirs"
    [body] = assistant.bodies()
    assert body["tool_choice"] == choice
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather"]


async def test_an_answer_that_was_cut_has_its_finish_reason(
    assistant: Assistant, client: VendorSDKClient
) -> None:
    assistant.script({"text": "Hel", "finish_reason": "length"})
    assert (await answer(client, asked())).finish_reason == "length"


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "upstream_auth_error"), (429, "upstream_rate_limited"), (500, "upstream_error")],
)
async def test_a_refusal_is_reported_by_its_status_alone(
    assistant: Assistant, client: VendorSDKClient, caplog: pytest.LogCaptureFixture, *, status: int, code: str
) -> None:
    caplog.set_level(logging.INFO, logger="assistants")
    body = f'{{"error": {{"message": "wrong key {CANARY}"}}}}'
    assistant.script({"status": status, "body": body, "repeat": True})
    with pytest.raises(UpstreamFailed) as failed:
        await answer(client, asked())
    assert failed.value.code == code
    assert CANARY not in str(failed.value.detail) + caplog.text


async def test_a_kind_whose_package_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    monkeypatch.delitem(sys.modules, "strands.models.anthropic", raising=False)
    with pytest.raises(UpstreamFailed, match="kind anthropic"):
        await connect(Endpoint("", "key", "claude", "anthropic"), {})


async def test_a_private_address_is_not_asked(agent: None) -> None:
    client = await connect(Endpoint("http://127.0.0.1:10", "key", "claude", "bedrock"), {})
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        await answer(client, asked())


async def test_bedrock_is_asked_at_its_address(assistant: Assistant, llm: ScriptedLLM) -> None:
    """The stand-in has no such route: its 404 shows that it was asked."""
    client = await connect(Endpoint(llm.url, "key", "claude", "bedrock"), {"max_tokens": 5, "stop": "x"})
    with pytest.raises(UpstreamFailed) as failed:
        await answer(client, asked())
    assert "(404)" in str(failed.value.detail)


@pytest.fixture
async def fallback(assistant: Assistant, llm: ScriptedLLM) -> Assistant:
    return Assistant(llm)


@pytest.mark.parametrize("agent", [3], indirect=True)
@pytest.mark.parametrize(
    "failure",
    [
        {"status": 401, "body": "{}"},
        {"status": 500, "body": "{}", "repeat": True},
        {"delay_s": 60},
        {"sse": [": nothing\n\n"]},
        {"sse": ['data: {"error": {"message": "no"}}\n\n']},
    ],
)
async def test_another_service_is_asked_where_the_first_fails_before_it_answers(
    assistant: Assistant, fallback: Assistant, failure: dict[str, Any]
) -> None:
    assistant.script(failure)
    fallback.script({"text": "I do."})
    assert text(await assistant.events(fallback=fallback.endpoint)) == "I do."


async def test_the_other_service_answers_the_rest_of_the_run(
    assistant: Assistant, fallback: Assistant
) -> None:
    assistant.script({"status": 401, "body": "{}"})
    fallback.script({"tool_calls": [{"name": "ghost"}]}, {"text": "I do."})
    events = await assistant.events(fallback=fallback.endpoint, client_tools=[client_tool("weather")])
    assert text(events) == "I do."
    assert (len(assistant.bodies()), len(fallback.bodies())) == (1, 2)


async def test_an_answer_that_has_begun_is_not_begun_again(assistant: Assistant, fallback: Assistant) -> None:
    assistant.script({"text": "one two three", "cut_after": 3})
    fallback.script({"text": "Never."})
    with pytest.raises(UpstreamFailed):
        await assistant.events(fallback=fallback.endpoint)
    assert fallback.bodies() == []


async def test_where_both_fail_the_last_failure_is_reported(
    assistant: Assistant, fallback: Assistant
) -> None:
    assistant.script({"status": 401, "body": "{}"})
    fallback.script({"status": 400, "body": "{}"})
    with pytest.raises(UpstreamFailed, match="400"):
        await assistant.events(fallback=fallback.endpoint)


class _Broken(OpenAIModel):
    async def stream(self, *_: Any, **__: Any) -> Any:
        raise ValueError(f"no header may be {CANARY}")
        yield


async def test_an_unexpected_failure_is_logged_with_its_traceback_and_without_its_words(
    assistant: Assistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="assistants")
    broken = VendorSDKClient(_Broken(client_args={"api_key": CANARY}, model_id="m"), "vendor")
    with pytest.raises(UpstreamFailed):
        await answer(broken, asked())
    assert "ValueError" in caplog.text
    assert "test_vendor_sdks.py" in caplog.text
    assert CANARY not in caplog.text
