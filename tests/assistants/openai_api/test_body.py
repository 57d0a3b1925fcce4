import threading

import pytest
from django.test import AsyncRequestFactory, override_settings

from assistants.openai_api import body
from core.errors import InvalidRequest


async def posted(data: bytes = b"{}", **extra: str) -> dict[str, object]:
    request = AsyncRequestFactory().post("/v1/chat/completions", data, content_type="application/json")
    request.META |= extra
    content, validated = await body.read(request, lambda content: ("validated", content))
    assert validated == ("validated", content)
    return content


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
async def test_it_accepts_json_in_utf8(content_type: str) -> None:
    assert await posted(b'{"a": 1}', CONTENT_TYPE=content_type) == {"a": 1}


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=bz2_codec",
        "application/json; charset=utf-16",
        "application/json-seq",
    ],
)
async def test_it_refuses_other_content_types(content_type: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await posted(CONTENT_TYPE=content_type)
    assert refusal.value.status_code == 415


async def test_it_refuses_a_compressed_body() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await posted(HTTP_CONTENT_ENCODING="gzip")
    assert refusal.value.status_code == 415


@override_settings(CHAT_BODY_LIMIT=20)
async def test_it_counts_the_bytes() -> None:
    assert await posted(b'{"a": "' + b"x" * 11 + b'"}')
    with pytest.raises(InvalidRequest) as refusal:
        await posted(b'{"a": "' + b"x" * 12 + b'"}')
    assert (refusal.value.status_code, refusal.value.get_codes()) == (413, "request_too_large")


@pytest.mark.parametrize(("size", "is_in_loop"), [(1_000, True), (100_000, False)])
async def test_a_large_body_is_read_outside_of_the_event_loop(size: int, is_in_loop: bool) -> None:
    request = AsyncRequestFactory().post(
        "/", b'{"a": "' + b"x" * size + b'"}', content_type="application/json"
    )
    _, thread = await body.read(request, lambda _: threading.current_thread())
    assert (thread is threading.current_thread()) == is_in_loop


async def test_a_body_with_a_schema_is_read_outside_of_the_event_loop_sooner() -> None:
    data = b'{"type": "json_schema", "a": "' + b"x" * 10_000 + b'"}'
    request = AsyncRequestFactory().post("/", data, content_type="application/json")
    _, thread = await body.read(request, lambda _: threading.current_thread())
    assert thread is not threading.current_thread()


async def test_it_raises_what_the_validation_of_a_large_body_raises() -> None:
    def refuse(_: object) -> None:
        raise InvalidRequest("No.", code="no")

    request = AsyncRequestFactory().post(
        "/", b'{"a": "' + b"x" * 99_999 + b'"}', content_type="application/json"
    )
    with pytest.raises(InvalidRequest, match="No"):
        await body.read(request, refuse)
