import base64
from typing import Any

import pytest
from django.conf import LazySettings

from assistants.agent import tool_results
from connector.wire.results import CallResult

PNG = base64.b64encode(b"png bytes").decode()


def content(*blocks: dict[str, Any], **changes: Any) -> list[Any]:
    return tool_results.of_call("x", CallResult(list(blocks), changes.get("structured_content")))["content"]


def text(*blocks: dict[str, Any], **changes: Any) -> str:
    [block] = content(*blocks, **changes)
    return str(block["text"])


def block(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}


def test_texts_are_joined() -> None:
    assert text(block("text", text="a"), block("text", text="b")) == "a\nb"


@pytest.mark.parametrize(("is_error", "status"), [(False, "success"), (True, "error")])
def test_a_tools_own_failure_is_an_error(is_error: bool, status: str) -> None:
    result = tool_results.of_call("x", CallResult([block("text", text="no")], None, is_error))
    assert result == {"toolUseId": "x", "status": status, "content": [{"text": "no"}]}


def test_what_is_no_character_is_replaced() -> None:
    assert text(block("text", text="a\0b\ud83d")) == "a\ufffdb\ufffd"
    assert tool_results.error("x", "\0")["content"] == [{"text": "\ufffd"}]


def test_structured_content_replaces_missing_content() -> None:
    assert text(structured_content={"sum": 3}) == '{"sum":3}'
    assert text(block("text", text="3"), structured_content={"sum": 3}) == "3"


def test_an_empty_result_says_so() -> None:
    assert text() == "(no output)"


def test_images_stay_images() -> None:
    image = {"image": {"format": "png", "source": {"bytes": b"png bytes"}}}
    assert content(block("image", data=PNG, mimeType="image/png")) == [image]
    assert content(block("text", text="Look"), block("image", data=PNG, mimeType="image/png")) == [
        {"text": "Look"},
        image,
    ]


def test_images_beyond_the_limit_are_left_out_with_a_note() -> None:
    blocks = content(*[block("image", data=PNG, mimeType="image/png")] * (tool_results.MAX_IMAGES + 2))
    assert sum("image" in each for each in blocks) == tool_results.MAX_IMAGES
    assert blocks[0] == {"text": "[2 more images, not shown]"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (block("image", data="@", mimeType="image/png"), "[image that is not valid base64]"),
        (block("image", data=PNG, mimeType="image/tiff"), "[image of type image/tiff, not shown]"),
        (block("audio", data=PNG, mimeType="audio/wav"), "[audio of type audio/wav, not shown]"),
        (block("resource_link", uri="file:///a", name="a"), "[a](file:///a)"),
        (block("resource", resource={"uri": "a:b", "text": "hi"}), "a:b:\nhi"),
        (block("resource", resource={"uri": "a:b", "blob": "AA"}), "[a:b of type None, not shown]"),
        (block("hologram"), "[hologram of type None, not shown]"),
    ],
)
def test_content_that_a_model_cannot_see_is_named(given: dict[str, Any], shown: str) -> None:
    assert text(given) == shown


def test_long_text_is_cut_in_the_middle_with_a_note(settings: LazySettings) -> None:
    settings.TOOL_RESULT_LIMIT = 1000
    shown = text(block("text", text="start" + "č" * 5000 + "end"))
    assert shown.startswith("start")
    assert shown.endswith("end")
    assert "9,008 of 10,008 bytes left out" in shown
    assert len(shown.encode()) < 1100


def test_text_at_the_limit_is_whole(settings: LazySettings) -> None:
    settings.TOOL_RESULT_LIMIT = 1000
    assert text(block("text", text="x" * 1000)) == "x" * 1000
