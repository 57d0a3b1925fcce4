"""JSON of others: what can be read can be written again."""

import orjson
import pytest

from core import repaired_json


@pytest.mark.parametrize(("digits", "number"), [("1" + "0" * 30, 1e30), ("1" + "0" * 400, None), ("7", 7)])
def test_whole_numbers_can_be_sent_on(digits: str, number: float | None) -> None:
    # The tab has the standard library's parser read it, whose whole numbers have no limit.
    value = repaired_json.loads(f'{{"text": "\t", "number": {digits}}}'.encode())
    assert orjson.loads(orjson.dumps(value)) == {"text": "\t", "number": number}
    assert repaired_json.repaired({"number": int(digits)}) == {"number": number}


def test_arguments_of_a_model_are_written_with_them() -> None:
    source = '{"number": 123456789012345678901234567890, "half": "\\ud800"}'
    assert orjson.loads(repaired_json.repaired_source(source))["number"] == 123456789012345678901234567890.0
