"""Comments and trailing commas, and the places of what is around them."""

import json

import pytest

from core.jsonc import as_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1, // one\n "b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1, // one\r\n "b": 2, }', {"a": 1, "b": 2}),
        ('/* all\n of it */ {"a": [1, 2, /* no more */ ],}', {"a": [1, 2]}),
        ('{"a": 1} // the end', {"a": 1}),
        ('{"a": "// /* */ ,]", "b": "\\"//,}"}', {"a": "// /* */ ,]", "b": '"//,}'}),
        ('{"url": "https://a.example/*x*/",}', {"url": "https://a.example/*x*/"}),
        ('{"a": "\\\\", // "\n}', {"a": "\\"}),
        ('{"a": "C:\\\\",}', {"a": "C:\\"}),
    ],
)
def test_it_is_json_without_them(text: str, value: object) -> None:
    assert json.loads(as_json(text)) == value


@pytest.mark.parametrize("text", ['{"a": 1,,}', '{"a": /* 1}', '{"a": "1 // }', "{,}x", '{"a": / 1}'])
def test_what_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        json.loads(as_json(text))


def test_each_character_stays_in_its_place() -> None:
    text = '{ // \u00fc\n\t/* a\n b */ "key": [x,],\n}'
    plain = as_json(text)
    assert len(plain) == len(text)
    assert plain.index("x") == text.index("x")
    assert [line.find('"key"') for line in plain.split("\n")] == [
        line.find('"key"') for line in text.split("\n")
    ]
