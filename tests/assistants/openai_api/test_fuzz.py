"""Thousands of broken requests: each is taken or refused, and nothing else happens."""

import random
from typing import Any

import orjson

from assistants.openai_api.chat import message_order
from assistants.openai_api.chat.request import validate
from core import strict_json
from core.errors import InvalidRequest

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
REQUEST = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Look."}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "seen"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}},
    "temperature": 0.5,
    "stop": ["a"],
    "n": 1,
}
STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 2**63, 1e308, -0.5, "", "true", "\0", "\u202e", "x" * 5_000, "💥"),
    *([], {}, [None], [[]], {"": {}}, {"type": []}, {"role": {}}, {"$ref": "http://x"}, {"$ref": 1}),
]


def test_a_request_with_strange_values_is_accepted_or_refused() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(5_000):
        request = orjson.loads(orjson.dumps(REQUEST))
        for _ in range(chance.randint(1, 3)):
            _change_somewhere(request, chance)
        refused += not _is_accepted(orjson.dumps(request))
    assert 2_500 < refused < 5_000


def test_a_body_with_strange_bytes_is_accepted_or_refused() -> None:
    chance = random.Random(7)
    valid = orjson.dumps(REQUEST)
    pieces = [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"\\",
        b":",
        b",",
        b"\xff",
        b"\0",
        b"\\u0000",
        b"\\ud800",
        b"1e999",
    ]
    for _ in range(5_000):
        start = chance.randrange(len(valid))
        changed = valid[:start] + chance.choice(pieces) + valid[start + chance.randint(0, 3) :]
        _is_accepted(changed)


def _is_accepted(data: bytes) -> bool:
    """Anything but InvalidRequest fails the test."""
    try:
        request = validate(strict_json.loads(data))
        message_order.check(request.messages)
    except InvalidRequest:
        return False
    return bool(orjson.dumps([request.sampling, request.tool_definitions]))


def _change_somewhere(value: Any, chance: random.Random) -> None:
    places = [(value, key) for key in (value if isinstance(value, dict) else range(len(value)))]
    if not places:
        return
    container, key = chance.choice(places)
    inner = container[key]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.7:
        _change_somewhere(inner, chance)
    elif chance.random() < 0.15:
        del container[key]
    else:
        container[key] = chance.choice(STRANGE)
