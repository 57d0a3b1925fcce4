"""The texts that people paste, and what is wrong with some."""

import pytest
from django.core.exceptions import ValidationError

from tools import importing

SERVERS = {"github": {"command": "npx", "args": ["-y", "x"]}}
YAML = """\
# what I use
mcpServers:
  github:
    command: npx
    args: [-y, x]
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"mcpServers": {"github": {"command": "npx", "args": ["-y", "x"]}}}', {"mcpServers": SERVERS}),
        ('"github": {"command": "npx", "args": ["-y", "x"]}', SERVERS),
        ('// mine\n"github": {"command": "npx", "args": ["-y", "x",],},\n', SERVERS),
        (YAML, {"mcpServers": SERVERS}),
        ("\ufeff" + YAML, {"mcpServers": SERVERS}),
        ("---\n" + YAML.replace("\n", "\r\n"), {"mcpServers": SERVERS}),
    ],
)
def test_a_text_is_read(text: str, value: object) -> None:
    assert importing.read(text) == value


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1\n "b": 2}', "line 2, column 2"),
        ('{"a": 1', "line 1, column 8"),
        ('{\n  // x\n  "a": [1, /* y */ 2, z]}', "line 3, column 23"),
        ('"a": {"b": x}', "line 1, column 12"),
        ('"a": {\n"b": x}', "line 2, column 6"),
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": "\n"}', "line 1, column 8"),
        ("mcpServers:\n  a: [1, 2\n  b: 3", "line 3, column 4"),
        ("mcpServers:\n\ta: 1", "line 2, column 1"),
    ],
)
def test_an_error_of_syntax_names_its_place(text: str, place: str) -> None:
    with pytest.raises(ValidationError) as raised:
        importing.read(text)
    assert place in raised.value.messages[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": {}, "a": {}}', "'a' twice"),
        ('{"a": "\\u0000"}', "NUL"),
        ("[1]", "object"),
        ("hello", "whole file"),
        ("npx -y some-server", "whole file"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: " + "[" * 60 + "]" * 60, "nested"),
        ("a: " + "x" * 300_000, "characters"),
        ("a: 2026-99-99", "Neither"),
        ("a: !!python/object:os.system {}", "Neither"),
        ("a: \x07", "Neither"),
        ("{" * 5000, "nested|Not valid"),
        ('{"a": "\ud800"}', "surrogate"),
        ("a: \ud800", "Neither"),
        ("a: " + "9" * 5000, "line 1, column 4: the number has more than 1000 digits"),
        (f"mcpServers: {{a: {{env: {{? 0x{'f' * 5000} : x}}}}}}", "the number has more than 1000 digits"),
    ],
)
def test_what_is_no_file_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        importing.read(text)
