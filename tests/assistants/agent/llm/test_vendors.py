"""Services with a protocol of their own, through their real SDKs: a small server speaks each protocol."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from assistants.agent import run
from assistants.catalogue.endpoints import Endpoint
from assistants.catalogue.entries import ServerEntry
from assistants.errors import UpstreamFailed
from assistants.events import Event, Finished, TextDelta, ToolFinished, Usage
from tests.assistants.agent.conftest import CANARY, Assistant, client_tool, function, text
from tests.assistants.agent.test_tools import Helper, helper, servers, supervise
from tests.connector.conftest import Servers
from tests.servers.vendors import COMPLETION_TOKENS, PROMPT_TOKENS, PROTOCOLS, Refusal, Turn, Vendor, vendor

__all__ = ["helper", "servers", "supervise"]

SERVER = ServerEntry(1, "Calculator", "calc")
KEY_HEADERS = {
    "anthropic": ("x-api-key", CANARY),
    "bedrock": ("authorization", f"Bearer {CANARY}"),
    "gemini": ("x-goog-api-key", CANARY),
    "ollama": ("authorization", f"Bearer {CANARY}"),
}
PATHS = {
    "anthropic": "/v1/messages",
    "bedrock": "/model/m/converse-stream",
    "gemini": "/v1beta/models/m:streamGenerateContent",
    "ollama": "/api/chat",
}
SAMPLING = {
    "anthropic": {"max_tokens": 5, "temperature": 0.5, "stop_sequences": ["x"]},
    "bedrock": {"inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "stopSequences": ["x"]}},
    "gemini": {"generationConfig": {"maxOutputTokens": 5, "temperature": 0.5, "stopSequences": ["x"]}},
    "ollama": {"options": {"num_predict": 5, "temperature": 0.5, "stop": ["x"]}},
}


@pytest.fixture(params=sorted(PROTOCOLS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def service(kind: str) -> AsyncIterator[Vendor]:
    async with vendor(kind) as served:
        yield served


@pytest.fixture
def asked(assistant: Assistant, service: Vendor, kind: str) -> Assistant:
    assistant.endpoint = Endpoint(service.url, CANARY, "m", kind)
    return assistant


async def test_it_answers_in_deltas_and_counts(asked: Assistant, service: Vendor, kind: str) -> None:
    service.answers = [Turn(["Hello", " there"])]
    events = await asked.events(parameters={"max_completion_tokens": 5, "temperature": 0.5, "stop": "x"})
    assert events == [
        TextDelta("Hello"),
        TextDelta(" there"),
        Usage(PROMPT_TOKENS, COMPLETION_TOKENS),
        Finished("stop", 1),
    ]
    [headers], [body] = service.headers, service.bodies
    assert service.paths == [PATHS[kind]]
    assert headers[KEY_HEADERS[kind][0]] == KEY_HEADERS[kind][1]
    assert {name: body[name] for name in SAMPLING[kind]} == SAMPLING[kind]
    assert "You help." in str(body)


async def test_the_first_delta_does_not_wait_for_the_last(asked: Assistant, service: Vendor) -> None:
    service.answers = [Turn(["one", "two"], pause_s=3)]
    async with aclosing(run(asked.request())) as events:
        assert await anext(events) == TextDelta("one")
        assert service.finished == 0


async def test_it_calls_a_tool_and_answers_from_its_result(
    helper: Helper, servers: Servers, supervise: Any, service: Vendor, kind: str
) -> None:
    supervise()
    await helper.uses(await servers.running())
    service.answers = [Turn(["Well."], ("fake__echo", {"word": "ahoj"})), Turn(["It said ahoj."])]
    events = await _events(helper, Endpoint(service.url, CANARY, "m", kind))
    [finished] = [event for event in events if isinstance(event, ToolFinished)]
    assert (finished.status, finished.content) == ("ok", [{"text": '{"word": "ahoj"}'}])
    assert text(events) == "Well.\n\nIt said ahoj."
    assert events[-2:] == [Usage(2 * PROMPT_TOKENS, 2 * COMPLETION_TOKENS), Finished("stop", 2)]
    first, second = service.bodies
    assert "fake__echo" in str(first)
    assert '{"word": "ahoj"}' in _strings(second)


async def test_gemini_gets_the_signature_of_its_call_back(assistant: Assistant) -> None:
    """Its newer models refuse the request without it."""
    async with vendor("gemini") as service:
        service.answers = [Turn(call=("ghost", {})), Turn(["Sorry."])]
        assistant.endpoint = Endpoint(service.url, CANARY, "m", "gemini")
        await assistant.events(client_tools=[client_tool("weather")])
        [part] = service.bodies[1]["contents"][1]["parts"]
        assert part["thoughtSignature"] == "c2lnbmVk"


async def test_an_answer_that_was_cut_has_the_finish_reason_length(asked: Assistant, service: Vendor) -> None:
    service.answers = [Turn(["Hel"], is_too_long=True)]
    assert (await asked.events())[-1] == Finished("length", 1)


@pytest.mark.parametrize("kind", ["anthropic", "bedrock", "ollama"])
async def test_an_answer_that_breaks_off_fails(asked: Assistant, service: Vendor) -> None:
    """Not Gemini: Strands' model for it ends such an answer like a whole one."""
    service.answers = [Turn(["Hel"], cut=True)]
    with pytest.raises(UpstreamFailed):
        await asked.events()


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "upstream_auth_error"), (403, "upstream_auth_error"), (400, "invalid_request")],
)
async def test_a_refusal_is_reported_by_its_status_alone(
    asked: Assistant, service: Vendor, caplog: pytest.LogCaptureFixture, *, status: int, code: str
) -> None:
    caplog.set_level(logging.INFO)
    service.answers = [_refusal(status)]
    with pytest.raises(UpstreamFailed) as failed:
        await asked.events()
    assert failed.value.code == code
    assert CANARY not in str(failed.value.detail) + caplog.text
    assert failed.value.__cause__ is None


async def test_geminis_400_for_a_wrong_key_is_an_auth_error(assistant: Assistant) -> None:
    async with vendor("gemini") as service:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
        error = {"code": 400, "status": "INVALID_ARGUMENT", "message": CANARY, "details": details}
        service.answers = [Refusal(400, {"error": error})]
        assistant.endpoint = Endpoint(service.url, CANARY, "m", "gemini")
        with pytest.raises(UpstreamFailed) as failed:
            await assistant.events()
        assert failed.value.code == "upstream_auth_error"


async def test_it_follows_no_redirect(asked: Assistant, service: Vendor) -> None:
    """Only the first address was checked."""
    service.answers = [Refusal(307, {}, location=f"{service.url}/elsewhere"), Turn(["Never."])]
    with pytest.raises(UpstreamFailed):
        await asked.events()
    assert len(service.paths) == 1


@pytest.mark.django_db(transaction=True)
async def test_a_tool_that_the_service_refuses_is_left_out(
    asked: Assistant, service: Vendor, kind: str
) -> None:
    message = "Invalid schema for function 'calc__odd'."
    error = {"type": "invalid_request_error", "status": "INVALID_ARGUMENT", "code": 400, "message": message}
    service.answers = [Refusal(400, {"type": "error", "error": error, "message": message}), Turn(["Hello."])]
    functions = (function("add", server=SERVER), function("odd", server=SERVER))
    assert text(await asked.events(functions=functions)) == "Hello."
    first, second = map(str, service.bodies)
    assert ("calc__odd" in first, "calc__odd" in second, "calc__add" in second) == (True, False, True)


async def _events(helper: Helper, endpoint: Endpoint) -> list[Event]:
    request = await helper.request()
    ours = replace(request, assistant=replace(request.assistant, endpoint=endpoint))
    async with aclosing(run(ours)) as events:
        return [event async for event in events]


def _refusal(status: int) -> Refusal:
    """An error as each of them words it, the key included; each reads its own part."""
    error = {"type": "authentication_error", "status": "DENIED", "code": status, "message": CANARY}
    return Refusal(status, {"type": "error", "error": error, "message": CANARY})


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
    elif isinstance(value, str):
        yield value
