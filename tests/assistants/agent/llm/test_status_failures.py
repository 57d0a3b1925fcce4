"""What the statuses and bodies by which LLM services refuse a request mean."""

import json
import logging
from typing import Any

import pytest

from assistants.openai_api import errors
from tests.assistants.agent.conftest import CANARY, Assistant
from tests.assistants.agent.llm.failures import failure


@pytest.mark.parametrize(
    ("status", "code", "answered", "attempts"),
    [
        (400, "invalid_request", 400, 1),
        (401, "upstream_auth_error", 502, 1),
        (403, "upstream_auth_error", 502, 1),
        (404, "upstream_error", 502, 1),
        (429, "upstream_rate_limited", 429, 3),
        (500, "upstream_error", 502, 3),
        (503, "upstream_error", 502, 3),
        (529, "upstream_error", 502, 3),
    ],
)
async def test_a_refusal_is_reported_by_its_status_and_never_by_its_text(  # noqa: PLR0917
    assistant: Assistant,
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str,
    answered: int,
    attempts: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"error": {"message": f"Incorrect API key: {CANARY}", "code": "canary-code"}})
    assistant.script({"status": status, "body": body, "repeat": True})
    failed = await failure(assistant)
    assert (failed.code, failed.status_code) == (code, answered)
    assert len(assistant.bodies()) == attempts
    assert "canary" not in f"{failed!r} {failed} {caplog.text}"


async def test_a_spent_quota_is_not_asked_for_again(assistant: Assistant) -> None:
    body = json.dumps({"error": {"code": "insufficient_quota"}})
    assistant.script({"status": 429, "body": body, "repeat": True})
    assert (await failure(assistant)).status_code == 429
    assert len(assistant.bodies()) == 1


async def test_a_conversation_that_is_too_long_is_the_callers_matter(assistant: Assistant) -> None:
    body = json.dumps({"error": {"code": "context_length_exceeded"}})
    assistant.script({"status": 400, "body": body})
    failed = await failure(assistant)
    assert (failed.status_code, failed.code) == (400, "context_length_exceeded")


VLLM = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the messages. "
    "Please reduce the length of the messages. canary"
)


OVERFLOWS: list[Any] = [
    {"error": {"code": "context_length_exceeded", "message": "canary"}},
    {"object": "error", "message": VLLM, "type": "BadRequestError", "code": 400},
    {"error": {"message": VLLM, "type": "BadRequestError", "param": None, "code": 400}},
    {
        "error": {
            "message": "the request exceeds the available context size (4096)",
            "type": "exceed_context_size_error",
        }
    },
    {
        "error": {
            "message": "prompt is too long: 200001 tokens > 200000 maximum",
            "type": "invalid_request_error",
        }
    },
    {
        "error": {
            "message": "The input token count (9999) exceeds the maximum number of tokens allowed (4096)."
        }
    },
    {"detail": "Input is too long for requested model."},
]


@pytest.mark.parametrize("body", OVERFLOWS)
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_overflow_in_any_services_words_is_known_to_clients(
    assistant: Assistant, body: Any, status: int
) -> None:
    assistant.script({"status": status, "body": json.dumps(body), "repeat": True})
    failed = await failure(assistant)
    assert (failed.status_code, failed.code, failed.may_retry) == (400, "context_length_exceeded", False)
    assert "This model's maximum context length is" in str(failed.detail)
    if VLLM in json.dumps(body):
        assert "4096 tokens" in str(failed.detail)
    assert "canary" not in str(failed.detail)
    assert len(assistant.bodies()) == 1


def refusal(**error: Any) -> str:
    return json.dumps({"error": {"message": "canary", **error}})


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, refusal(code="unsupported_parameter", param="temperature"), (400, "unsupported_parameter")),
        (400, refusal(code="unsupported_value", param="messages[0].role"), (400, "unsupported_value")),
        (400, refusal(code="canary", param="canary canary"), (400, "invalid_request")),
        (400, "canary", (400, "invalid_request")),
        (
            400,
            refusal(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
            (400, "content_filter"),
        ),
        (
            422,
            json.dumps({"detail": [{"loc": ["body", "tools"], "msg": "canary"}]}),
            (422, "invalid_request"),
        ),
        (404, refusal(code="model_not_found"), (404, "model_not_found")),
        (
            404,
            json.dumps({"error": "model 'canary' not found, try pulling it first"}),
            (404, "model_not_found"),
        ),
        (413, refusal(), (413, "request_too_large")),
        (404, "<html>canary</html>", (502, "upstream_error")),
        (405, "", (502, "upstream_error")),
        (401, refusal(code="invalid_api_key"), (502, "upstream_auth_error")),
        (402, refusal(), (429, "insufficient_quota")),
        (429, refusal(type="insufficient_quota"), (429, "insufficient_quota")),
    ],
)
async def test_a_request_at_fault_is_the_callers_and_no_repetition_helps(
    assistant: Assistant, status: int, body: str, expected: tuple[int, str]
) -> None:
    assistant.script({"status": status, "body": body, "repeat": True})
    failed = await failure(assistant)
    assert (failed.status_code, failed.code) == expected
    assert "canary" not in f"{failed.detail} {failed.param}"
    assert len(assistant.bodies()) == 1
    answer = errors.response(failed)
    assert (answer.status_code, answer["x-should-retry"]) == (expected[0], "false")
    assert "later" not in str(failed.detail)
