"""A caller names whom it asks for: by a header, or by OpenAI's fields. It is on the record of the run."""

from typing import Any

import httpx
import pytest

from assistants.models import Run
from tests.assistants.openai_api.conftest import HELLO, error_of
from tests.llm import ScriptedLLM
from tests.stack import Stack, wait_for

ANNA = {"x-end-user": "Anna"}


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (({}, {}), ""),
        (({}, {"user": "ben"}), "ben"),
        (({}, {"user": "ben", "safety_identifier": "carl"}), "carl"),
        ((ANNA, {"user": "ben", "safety_identifier": "carl"}), "Anna"),
        (({"x-end-user": "Zoë".encode()}, {}), "Zoë"),
    ],
)
@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_the_first_of_header_and_fields_counts(
    stack: Stack, http: httpx.Client, llm: ScriptedLLM, model: str, *, path: str, asked: Any, name: str
) -> None:
    headers, fields = asked
    llm.script(model, {"text": "Hello."})
    brought = {"messages": HELLO} if path == "chat/completions" else {"input": "Hello"}
    response = http.post(f"/v1/{path}", json={"model": model, **brought, **fields}, headers=headers)
    assert response.status_code == 200
    with stack.database():
        wait_for(lambda: Run.objects.filter(assistant_slug=model, end_user=name).exists(), within_s=10)


def test_a_response_in_the_background_has_one_too(
    stack: Stack, http: httpx.Client, llm: ScriptedLLM, model: str
) -> None:
    llm.script(model, {"text": "Hello."})
    asked = {"model": model, "input": "Hello", "background": True}
    assert http.post("/v1/responses", json=asked, headers=ANNA).status_code == 200
    with stack.database():
        wait_for(lambda: Run.objects.filter(assistant_slug=model, end_user="Anna").exists(), within_s=20)


def test_a_header_that_is_too_long_is_refused(http: httpx.Client, model: str) -> None:
    asked = {"model": model, "messages": HELLO}
    response = http.post("/v1/chat/completions", json=asked, headers={"x-end-user": "x" * 513})
    assert (response.status_code, error_of(response)["param"]) == (400, "x-end-user")
