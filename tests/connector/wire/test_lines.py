import json
import time

import pytest

from connector.wire.lines import LineSplitter, Oversized


def split(data: bytes, *, limit: int = 100, at: int = 7) -> list[bytes | Oversized]:
    splitter = LineSplitter(limit)
    chunks = [data[start : start + at] for start in range(0, len(data), at)]
    return [line for chunk in chunks for line in splitter.feed(chunk)]


@pytest.mark.parametrize("at", [1, 2, 7, 1000])
def test_lines_are_whole_however_the_chunks_were_cut(at: int) -> None:
    assert split(b"one\n\nthree and more\nrest", at=at) == [b"one", b"", b"three and more"]


@pytest.mark.parametrize("at", [1, 50, 1000])
def test_a_line_of_the_limit_passes_and_one_byte_more_does_not(at: int) -> None:
    exact, over, after = split(b"x" * 100 + b"\n" + b"y" * 101 + b"\nafter\n", at=at)
    assert exact == b"x" * 100
    assert isinstance(over, Oversized)
    assert after == b"after"


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{"x":"%s"}}', b"7"),
        (b'{"id": "a-1", "jsonrpc": "2.0", "result": "%s"}', b'"a-1"'),
        (b'{"result":{"id":3,"x":"%s"},"id":12,"jsonrpc":"2.0"}', b"12"),
        (b'data: {"jsonrpc":"2.0","id":7,"result":{"x":"%s"}}', b"7"),
        (b'{"jsonrpc":"2.0","result":{"id":9,"x":"%s"},"z":{"id":4}}', None),
    ],
)
def test_the_id_of_an_oversized_line_is_found_at_its_ends(message: bytes, request_id: bytes | None) -> None:
    (line,) = split(message % (b"x" * 5000) + b"\n")
    assert isinstance(line, Oversized)
    assert line.request_id() == request_id


def test_splitting_takes_linear_time() -> None:
    line = json.dumps("x" * 20_000_000).encode() + b"\n"
    began = time.process_time()
    (found,) = split(line, limit=1 << 30, at=4096)
    assert found == line[:-1]
    assert time.process_time() - began < 3
