import time

import orjson
import pytest

from core import strict_json
from core.errors import InvalidRequest


def refused(data: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        strict_json.loads(data)
    assert refusal.value.status_code == 400
    return refusal.value


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"model": "m", "messages": [{"role": "user", "content": 'quotes " and \\ and \\" and {[:,]}'}]},
        {'"': {"\\": '\\"', "\\\\": "\\\\"}, "a": [[], {}, [{}]], "b": "ends in a backslash \\"},
        {"emoji": "👩‍🔬", "escaped": "\u2028", "not a NUL": "\\u0000"},
        {"empty": "", "colons": "::::", "number": -1.5e3},
    ],
)
def test_it_reads_what_is_valid(value: dict[str, object]) -> None:
    assert strict_json.loads(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nope",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 400 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b"[" * 20_000,
        b'{"a": "b" "c"}',
        b"{'a': 1}",
    ],
)
def test_it_refuses_what_is_no_json(data: bytes) -> None:
    assert refused(data).get_codes() == "invalid_json"


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"1", b"null", b"true"])
def test_it_refuses_what_is_no_object(data: bytes) -> None:
    assert refused(data).get_codes() == "invalid_type"


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b'{"model": "a", "model": "b"}', "model"),
        (b'{"a": [{"x": "\\"", "y": 1, "x": 2}]}', "x"),
        (b'{"model": 1, "mod\\u0065l": 2}', "model"),
    ],
)
def test_it_refuses_a_key_that_comes_twice(data: bytes, key: str) -> None:
    refusal = refused(data)
    assert (refusal.get_codes(), refusal.param) == ("invalid_json", key)


@pytest.mark.parametrize(
    ("data", "param"),
    [
        (b'{"messages": [{"content": "a\\u0000b"}]}', "messages[0].content"),
        (b'{"stop": ["a", "\\\\\\u0000"]}', "stop[1]"),
        (b'{"a\\u0000": 1}', "a\\u0000"),
    ],
)
def test_it_refuses_nul_and_says_where(data: bytes, param: str) -> None:
    refusal = refused(data)
    assert (refusal.get_codes(), refusal.param) == ("invalid_json", param)


def test_it_bounds_the_depth() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)

    assert strict_json.loads(nested(64))
    assert "deeper" in str(refused(nested(65)).detail)
    assert "deeper" in str(refused(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}").detail)


def test_it_refuses_an_object_of_very_many_keys_quickly() -> None:
    data = orjson.dumps({str(number): number for number in range(100_000)})
    started = time.process_time()
    assert "many" in str(refused(data).detail)
    assert time.process_time() - started < 1


def test_it_reads_a_long_text_with_very_many_commas() -> None:
    value = {"text": 'a, "b", c: ' * 100_000}
    assert strict_json.loads(orjson.dumps(value)) == value


def test_it_reads_an_image_of_megabytes_quickly() -> None:
    data = orjson.dumps({"messages": [{"content": "iVBORw0K" * 1_000_000}]})
    started = time.process_time()
    strict_json.loads(data)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": [' + b",".join([b"[" * 50 + b"]" * 50] * 1_000) + b"]}",
        b'{"a": [' + b",".join([b"{}"] * 20_001) + b"]}",
        b'{"a": [' + b"1," * 150_001 + b"1]}",
        b"{" + b",".join(b'"%d": 1' % number for number in range(75_001)) + b"}",
    ],
)
def test_a_body_of_more_members_than_can_be_worked_on_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="too many members"):
        strict_json.loads(data)


def test_brackets_and_commas_in_texts_are_no_members() -> None:
    text = '[{"a": 1}, \\"b\\", ' * 100_000
    data = orjson.dumps({"a": text})
    assert strict_json.loads(data) == {"a": text}


@pytest.mark.parametrize(
    ("texts", "are_large"),
    [
        ([], False),
        (['{"a": 1}'] * 1_000, False),
        (['{"a": [1, 2]}'] * 11_000, True),
        (["[" * 20_001], True),
        ([orjson.dumps({"a": "[" * 30_000}).decode()], False),
        (["1," * 150_001], True),
    ],
)
def test_texts_of_json_are_counted_all_together(texts: list[str], are_large: bool) -> None:
    assert strict_json.are_large(texts) == are_large
