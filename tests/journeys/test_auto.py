"""The model `auto` over HTTP: real processes, the embedder in them, and assistants that a worker embeds."""

from typing import Any

import openai
import pytest

from apikeys.actions import IssuedKey
from assistants.models import Assistant
from tests.stack import Stack, wait_for

FLIGHT = "Book me a flight to Tokyo."
DINNER = "What can I cook with eggs and spinach?"


@pytest.fixture(scope="module")
def key(stack: Stack) -> IssuedKey:
    return stack.key("auto")


@pytest.fixture(scope="module")
def client(stack: Stack, key: IssuedKey) -> openai.OpenAI:
    """Of a key that may call two assistants, which a worker has embedded."""
    abouts = {"kitchen": "Cooking: recipes and shopping lists.", "journeys": "Books flights and hotels."}
    for slug, about in abouts.items():
        stack.assistant(slug, keys=(key,), description=about)
        stack.llm.script(slug, {"text": f"I am {slug}.", "repeat": True})
    with stack.database():
        rows = Assistant.objects.filter(slug__in=abouts, embedding=None)
        wait_for(lambda: not rows.exists(), within_s=30)
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=key.key, max_retries=0)
    wait_for(lambda: is_loaded(client), within_s=30)
    return client


def is_loaded(client: openai.OpenAI) -> bool:
    """Whether the embedder is ready in the web process, too: until then words decide."""
    try:
        return bool(ask(client, FLIGHT).choices[0].message.mcp_connector["routing"]["by"] == "embedding")
    except openai.BadRequestError:
        return False


def ask(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    return client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": text}], **fields
    )


@pytest.mark.parametrize(("text", "slug"), [(FLIGHT, "journeys"), (DINNER, "kitchen")])
def test_the_one_that_fits_answers_and_says_so(client: openai.OpenAI, text: str, slug: str) -> None:
    completion = ask(client, text)
    message = completion.choices[0].message
    assert (completion.model, message.content) == (slug, f"I am {slug}.")
    routing = message.mcp_connector["routing"]
    assert (routing["assistant"], routing["by"]) == (slug, "embedding")
    assert 0.22 <= routing["score"] <= 1.05


def test_streams_say_so_too(client: openai.OpenAI) -> None:
    chunks = list(ask(client, FLIGHT, stream=True))
    assert {chunk.model for chunk in chunks} == {"journeys"}
    assert chunks[-1].mcp_connector["routing"]["assistant"] == "journeys"


def test_responses_are_routed_and_go_on_where_they_began(client: openai.OpenAI) -> None:
    first = client.responses.create(model="auto", input=FLIGHT)
    assert (first.model, first.output_text) == ("journeys", "I am journeys.")
    assert first.mcp_connector["routing"]["by"] == "embedding"  # type: ignore[attr-defined]
    second = client.responses.create(model="auto", input=DINNER, previous_response_id=first.id)
    assert second.model == "journeys"


def test_a_session_goes_on_where_it_began(client: openai.OpenAI) -> None:
    session = {"extra_headers": {"X-Session-Id": "auto-1"}}
    assert ask(client, DINNER, **session).model == "kitchen"
    second = ask(client, FLIGHT, **session)
    assert (second.model, second.choices[0].message.mcp_connector["routing"]["by"]) == ("kitchen", "session")


def test_a_worker_chooses_as_a_web_process_does(client: openai.OpenAI) -> None:
    response = client.responses.create(model="auto", input=DINNER, background=True)
    assert response.model == "kitchen"
    wait_for(lambda: client.responses.retrieve(response.id).status == "completed", within_s=20)
    assert client.responses.retrieve(response.id).mcp_connector["routing"]["by"] == "embedding"  # type: ignore[attr-defined]


def test_a_stored_history_counts(client: openai.OpenAI) -> None:
    stored = {"mcp_connector": {"history": "stored"}, "session_id": "auto-2"}
    assert ask(client, FLIGHT, extra_body=stored).model == "journeys"
    assert ask(client, "And one back, please.", extra_body=stored).model == "journeys"


def test_what_fits_nobody_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        ask(client, "solve x^2 + 3x = 10")
    assert (refusal.value.code, refusal.value.param) == ("no_assistant_fits", "model")
    assert "Name one as 'model': journeys, kitchen." in refusal.value.message


def test_it_is_a_model_where_there_is_a_choice(stack: Stack, client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["auto", "journeys", "kitchen"]
    assert client.models.retrieve("auto").id == "auto"
    nobody = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key("nobody").key, max_retries=0)
    assert list(nobody.models.list()) == []
    for call in (lambda: nobody.models.retrieve("auto"), lambda: ask(nobody, FLIGHT)):
        with pytest.raises(openai.NotFoundError):
            call()
