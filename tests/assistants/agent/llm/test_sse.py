import time

import pytest

from assistants.agent.llm import sse
from assistants.errors import UpstreamFailed


def decode(*chunks: bytes) -> list[bytes]:
    decoder = sse.Decoder()
    payloads = [payload for chunk in chunks for payload in decoder.feed(chunk)]
    return payloads + decoder.end()


STREAM = (
    ': hello\r\n\r\ndata: {"a":"žluťoučký 🐎"}\r\n\r\nevent: x\nid: 7\ndata:{"b":1}\n\n\ndata: [DONE]\n\n'
).encode()
PAYLOADS = ['{"a":"žluťoučký 🐎"}'.encode(), b'{"b":1}', b"[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_chunk_boundaries_anywhere_change_nothing(size: int) -> None:
    chunks = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert decode(*chunks) == PAYLOADS


def test_a_last_line_without_its_end_counts() -> None:
    assert decode(b'data: {"a":1}\ndata: {"b"', b":2}") == [b'{"a":1}', b'{"b":2}']


def test_other_lines_are_skipped() -> None:
    assert decode(b"<html>\n<body>data: no</body>\n\ndata:\ndata:   \n") == []


def test_a_long_line_takes_linear_time() -> None:
    line = b"data: " + b"x" * 8_000_000 + b"\n"
    chunks = [line[start : start + 1024] for start in range(0, len(line), 1024)]
    started = time.process_time()
    assert [len(payload) for payload in decode(*chunks)] == [8_000_000]
    assert time.process_time() - started < 1


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(UpstreamFailed, match="too large"):
        decode(*[b"x" * 10] * 11)


def test_the_limit_on_a_line_is_not_one_on_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    assert len(decode(*[b"data: 1\n\ndata:", b" 2\n"] * 20)) == 40


def test_a_stream_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_STREAM_BYTES", 100)
    with pytest.raises(UpstreamFailed, match="too large"):
        decode(*[b"data: 1\n"] * 20)
