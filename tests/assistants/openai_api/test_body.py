import pytest
from django.test import AsyncRequestFactory, override_settings

from assistants.openai_api import body
from core.errors import InvalidRequest


def posted(data: bytes = b"{}", **extra: str) -> dict[str, object]:
    request = AsyncRequestFactory().post("/v1/chat/completions", data, content_type="application/json")
    request.META |= extra
    return body.read(request)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_it_accepts_json_in_utf8(content_type: str) -> None:
    assert posted(b'{"a": 1}', CONTENT_TYPE=content_type) == {"a": 1}


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
def test_it_refuses_other_content_types(content_type: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        posted(CONTENT_TYPE=content_type)
    assert refusal.value.status_code == 415


def test_it_refuses_a_compressed_body() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        posted(HTTP_CONTENT_ENCODING="gzip")
    assert refusal.value.status_code == 415


@override_settings(CHAT_BODY_LIMIT=20)
def test_it_counts_the_bytes() -> None:
    assert posted(b'{"a": "' + b"x" * 11 + b'"}')
    with pytest.raises(InvalidRequest) as refusal:
        posted(b'{"a": "' + b"x" * 12 + b'"}')
    assert (refusal.value.status_code, refusal.value.get_codes()) == (413, "request_too_large")
