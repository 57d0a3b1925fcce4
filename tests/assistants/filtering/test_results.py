"""Results on their way to whoever asked: every text of theirs is looked through for secrets."""

from typing import Any

import pytest

from assistants.filtering import About, passed_on, results
from assistants.filtering.results import read_without_secrets, without_secrets
from connector.wire.results import CallResult
from tests.assistants.filtering.functions import function

SECRET, MASKED = "ghp_q8Zr2LmT5vXw9BnK3cJd7FhG1sPyA4eUoI6x", "[masked: github-pat]"


def content(token: str) -> list[dict[str, Any]]:
    return [
        {"type": "text", "text": f"It is {token}."},
        {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/plain", "text": token}},
        {"type": "resource_link", "uri": f"https://a/?t={token}", "name": "a", "description": token},
        {"type": "text", "text": "", "mimeType": "text/plain", "data": token},
        {"type": "image", "data": SECRET, "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "image/png", "blob": SECRET}},
    ]


async def test_all_texts_are_looked_through() -> None:
    def result(token: str) -> dict[str, Any]:
        attached = {"mimeType": "text/plain", "data": token, "blob": token}
        structured = {"a": [{"b": token, "c": 1, "d": None, "data": token}, attached]}
        return {"content": content(token), "structuredContent": structured, "_meta": {"note": token}}

    assert await without_secrets(result(SECRET)) == result(MASKED)


async def test_names_of_members_and_numbers_are_looked_through() -> None:
    other = SECRET[:-1] + "y"
    structured = {SECRET: 1, other: {"card": 4111111111111111, "at": 1796000000123456, "is": True}}
    masked = (await without_secrets({"content": [], "structuredContent": structured}))["structuredContent"]
    assert masked == {MASKED: 1, f"{MASKED} 1": {"card": 0, "at": 1796000000123456, "is": True}}


async def test_a_large_result_is_looked_through_too() -> None:
    rows = ["x" * 1000] * 200
    masked = await without_secrets({"content": [], "structuredContent": {"rows": [*rows, SECRET]}})
    assert masked["structuredContent"]["rows"] == [*rows, MASKED]


async def test_what_is_too_long_or_too_deep_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = SECRET
    for _ in range(230):
        deep = [deep]
    assert SECRET not in str(await without_secrets({"content": [], "structuredContent": {"a": deep}}))
    monkeypatch.setattr(results, "MOST_BYTES", 100)
    withheld = await without_secrets({"content": content("a" * 200)})
    assert withheld == {"content": [{"type": "text", "text": results.TOO_LONG}], "isError": True}


@pytest.mark.parametrize("masks", [True, False])
async def test_secrets_are_masked_where_the_assistant_says_so(masks: bool) -> None:
    given = CallResult([{"type": "text", "text": SECRET}], {"token": SECRET}, is_error=True)
    shown = MASKED if masks else SECRET
    passed = await passed_on(function(), given, About(), masks_secrets=masks)
    assert passed == CallResult([{"type": "text", "text": shown}], {"token": shown}, is_error=True)
    wire = {"content": [{"type": "text", "text": SECRET}]}
    assert await passed_on(function(), wire, About(), masks_secrets=masks) == {
        "content": [{"type": "text", "text": shown}]
    }


async def test_texts_of_resources_and_prompts_are_looked_through_and_their_bytes_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts: dict[str, Any] = {
        "contents": [{"uri": "memo://1", "text": SECRET}, {"uri": "memo://2", "blob": SECRET}],
        "_meta": {"blob": SECRET},
    }
    seen: Any = await read_without_secrets(texts)
    assert seen["contents"] == [{"uri": "memo://1", "text": MASKED}, texts["contents"][1]]
    assert seen["_meta"] == {"blob": MASKED}
    image = {"role": "user", "content": {"type": "image", "data": SECRET, "mimeType": "image/png"}}
    said = {"role": "user", "content": {"type": "text", "text": SECRET, "data": SECRET}}
    prompt: Any = await read_without_secrets({"messages": [image, said]})
    assert prompt["messages"][0] == image
    assert SECRET not in str(prompt["messages"][1])
    monkeypatch.setattr(results, "MOST_BYTES", 10)
    assert await read_without_secrets(texts) is None
