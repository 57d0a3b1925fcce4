"""The model `auto`, with real assistants, tools and vectors."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import LazySettings
from django.utils import timezone

from assistants import routing
from assistants.errors import ModelNotFound, NoAssistantFits
from assistants.models import Assistant, Conversation
from assistants.routing import Route, index
from tests.assistants.routing.conftest import create, principal

pytestmark = pytest.mark.django_db(transaction=True)
Assistants = dict[str, Assistant]

REQUESTS = [
    ("What can I make with eggs and spinach?", "cook"),
    ("I ran out of butter, what else could I bake with?", "cook"),
    ("Put milk and bread on my list.", "cook"),
    ("Is the build of main green again?", "clerk"),
    ("Which pull requests wait for my review?", "clerk"),
    ("Somewhere to stay near the conference in Oslo, two nights", "travel"),
    ("Book me a flight to Tokyo.", "travel"),
    ("Please correct the grammar of this paragraph: me and him goes to school", "writer"),
]


def conversation(*texts: str) -> list[dict[str, Any]]:
    """Returns messages of the user, with an answer after each but the last."""
    messages: list[dict[str, Any]] = []
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "I see."}]
    return messages[:-1]


async def auto(
    messages: Sequence[dict[str, Any]], *assistants: Assistant, session: str | None = None
) -> Route:
    caller = await principal(assistants, name=f"caller {timezone.now()}")
    return await routing.route("auto", caller, messages, session)


async def test_each_request_is_routed_to_its_assistant(indexed: Assistants) -> None:
    caller = await principal(indexed.values())
    routes = [await routing.route("auto", caller, conversation(text)) for text, _ in REQUESTS]
    chosen = [route.assistant.slug for route in routes]
    assert chosen == [slug for _, slug in REQUESTS]
    assert {route.by for route in routes} == {"embedding"}
    assert all(route.score is not None and 0.22 <= route.score <= 1.05 for route in routes)


async def test_an_assistant_named_by_the_caller_has_no_extension(indexed: Assistants) -> None:
    caller = await principal(indexed.values())
    route = await routing.route("cook", caller, conversation("Book me a flight to Tokyo."))
    assert (route.assistant.slug, route.model, route.extension) == ("cook", "cook", {})


async def test_the_extension_says_how_a_request_was_routed(indexed: Assistants) -> None:
    route = await auto(conversation("Book me a flight to Tokyo."), *indexed.values())
    routing_field = route.extension["routing"]
    assert (route.model, routing_field["assistant"], routing_field["by"]) == ("travel", "travel", "embedding")
    assert routing_field["score"] == pytest.approx(route.score, abs=0.001)


async def test_only_assistants_that_the_key_may_call_are_candidates(indexed: Assistants) -> None:
    text = "Book me a flight to Tokyo and find me a hotel there, I travel on Friday."
    with pytest.raises(NoAssistantFits):
        await auto(conversation(text), indexed["cook"], indexed["clerk"])
    with pytest.raises(ModelNotFound):
        await auto(conversation(text))


@pytest.mark.parametrize(
    "text", ["hi", "🙂🙂🙂", "What is the capital of Mongolia?", "solve x^2 + 3x = 10", "\0\x07 "]
)
async def test_a_request_that_fits_no_assistant_is_refused_with_their_names(
    indexed: Assistants, text: str
) -> None:
    with pytest.raises(NoAssistantFits) as refusal:
        await auto(conversation(text), *indexed.values())
    message = str(refusal.value.detail)
    assert refusal.value.status_code == 400
    assert "Name one as 'model': clerk, cook, travel, writer." in message
    if text.isprintable():
        assert "where 0.22 are needed" in message


async def test_the_threshold_is_a_setting(indexed: Assistants, settings: LazySettings) -> None:
    settings.ROUTING_THRESHOLD = 0.99
    with pytest.raises(NoAssistantFits, match=r"the nearest is travel, with 0\.\d\d where 0\.99 are needed"):
        await auto(conversation("Book me a flight to Tokyo."), *indexed.values())
    settings.ROUTING_THRESHOLD = 0
    assert (await auto(conversation("hi"), *indexed.values())).by == "embedding"


async def test_a_conversation_stays_where_it_began(indexed: Assistants) -> None:
    began = conversation("Book me a flight to Tokyo.", "What can I make with eggs and spinach?")
    assert (await auto(began, *indexed.values())).assistant.slug == "travel"


async def test_a_greeting_does_not_decide(indexed: Assistants) -> None:
    route = await auto(conversation("hi", "What can I make with eggs and spinach?"), *indexed.values())
    assert route.assistant.slug == "cook"


async def test_text_parts_count_and_images_do_not(indexed: Assistants) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "input_text", "text": "Book me a flight to Tokyo."},
    ]
    route = await auto([{"role": "user", "content": parts}], *indexed.values())
    assert route.assistant.slug == "travel"
    with pytest.raises(NoAssistantFits, match="There is no text"):
        await auto([{"role": "user", "content": parts[:1]}], *indexed.values())


async def test_a_long_text_is_cut_and_still_fits(indexed: Assistants) -> None:
    text = "Book me a flight to Tokyo. " + "Thank you so much. " * 6_000
    assert (await auto(conversation(text), *indexed.values())).assistant.slug == "travel"


async def test_a_session_stays_with_the_assistant_that_answered_last(indexed: Assistants) -> None:
    caller = await principal(indexed.values())
    await _answered(caller.id, "chat-1", indexed["writer"])
    question = conversation("Book me a flight to Tokyo.")
    route = await routing.route("auto", caller, question, "chat-1")
    assert (route.assistant.slug, route.by, route.score) == ("writer", "session", None)
    assert (await routing.route("auto", caller, question, "chat-2")).assistant.slug == "travel"
    other = conversation("What can I make with eggs and spinach?")
    assert (await routing.route("auto", caller, other, "chat-2")).assistant.slug == "travel"


async def test_the_session_of_another_key_does_not_count(indexed: Assistants) -> None:
    caller, stranger = await principal(indexed.values()), await principal(indexed.values(), "bob")
    await _answered(stranger.id, "chat-1", indexed["writer"])
    route = await routing.route("auto", caller, conversation("Book me a flight to Tokyo."), "chat-1")
    assert route.assistant.slug == "travel"


async def test_a_session_leaves_an_assistant_that_is_no_longer_granted(indexed: Assistants) -> None:
    caller = await principal([indexed["travel"], indexed["cook"]])
    await _answered(caller.id, "chat-1", indexed["writer"])
    route = await routing.route("auto", caller, conversation("Book me a flight to Tokyo."), "chat-1")
    assert (route.assistant.slug, route.by) == ("travel", "embedding")


async def test_before_anything_is_indexed_the_vocabulary_decides(assistants: Assistants) -> None:
    route = await auto(conversation("Which pull requests of the repository are open?"), *assistants.values())
    assert (route.assistant.slug, route.by) == ("clerk", "words")
    with pytest.raises(NoAssistantFits):
        await auto(conversation("What is the capital of Mongolia?"), *assistants.values())


async def test_when_the_embedder_fails_the_vocabulary_decides(
    indexed: Assistants, settings: LazySettings
) -> None:
    settings.EMBEDDING_BASE_URL = "http://127.0.0.1:9/v1"
    settings.EMBEDDING_MODEL = "gone"
    route = await auto(conversation("Which pull requests of the repository are open?"), *indexed.values())
    assert (route.assistant.slug, route.by) == ("clerk", "words")


async def test_a_new_assistant_is_a_candidate_once_it_is_embedded(indexed: Assistants) -> None:
    fields = {"system_prompt": "You forecast the weather: rain, wind, sun and temperature."}
    weather = await sync_to_async(create)("weather", **fields)
    caller = await principal([*indexed.values(), weather])
    assert await sync_to_async(index.refresh)() == 1
    question = conversation("Will it rain tomorrow, and how warm will it be?")
    for _ in range(100):
        route = await routing.route("auto", caller, question)
        if route.assistant.slug == "weather":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within 2 s")


@sync_to_async
def _answered(key_id: int, session: str, assistant: Assistant) -> None:
    now = timezone.now()
    Conversation.objects.create(
        api_key_id=key_id, external_id=session, assistant=assistant, created_at=now, last_run_at=now
    )
