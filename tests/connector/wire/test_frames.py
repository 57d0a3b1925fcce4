"""Frames in a stream of bytes."""

import pytest

from connector.wire.frames import BadFrame, FrameReader, content, frame


def test_frames_are_read_however_the_stream_is_cut() -> None:
    sent = [(2, 1, b'{"a": 1}'), (3, 2, b""), (4, 2**32 - 1, b"x" * 1000)]
    stream = b"".join(frame(*each) for each in sent)
    for size in (1, 7, 64, len(stream)):
        reader = FrameReader(1000)
        chunks = [stream[begin : begin + size] for begin in range(0, len(stream), size)]
        assert [each for chunk in chunks for each in reader.feed(chunk)] == sent


def test_a_frame_beyond_the_limit_is_refused_before_it_has_come() -> None:
    reader = FrameReader(10)
    with pytest.raises(BadFrame):
        list(reader.feed(frame(2, 1, b"x" * 11)[:9]))


def test_an_http_request_is_no_frame() -> None:
    with pytest.raises(BadFrame):
        list(FrameReader(2**20).feed(b"POST /request HTTP/1.1\r\n\r\n"))


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff"])
def test_a_payload_is_an_object(payload: bytes) -> None:
    with pytest.raises(BadFrame):
        content(payload)
