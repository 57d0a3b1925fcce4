"""Large inputs of callers: each is refused, or the event loop pauses for less than LONGEST_PAUSE_S."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from assistants.catalogue import definitions
from assistants.conversations import images, stored_history
from assistants.openai_api import validation
from assistants.response_formats import Format, InvalidAnswer, InvalidSchema, check_schema
from assistants.selection import query
from core import strict_json
from core.errors import InvalidRequest

LONGEST_PAUSE_S = 5.0  # what these stop a process for without their bounds is tens of seconds


async def longest_pause_s(work: Callable[[], Any], *, in_thread: bool = False) -> float:
    """Returns the longest time of processor that the event loop did not turn for, while `work` ran.

    Not the clock's time where it is one piece: other processes of a busy machine pause a loop, too.
    """
    if not in_thread:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    task = asyncio.create_task(asyncio.to_thread(work))
    longest = 0.0
    while not task.done():
        began = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - began)
    await task
    return longest


def properties(number: int) -> dict[str, Any]:
    named = {f"p{index}": {"type": "string", "description": "x"} for index in range(number)}
    return {"type": "object", "properties": named, "required": list(named)}


def doubling(levels: int) -> dict[str, Any]:
    """A schema of few lines that takes 2 ** levels steps."""
    parts: dict[str, Any] = {
        f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$defs": {**parts, f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}


SCHEMAS = {
    "5,000 properties": properties(5_000),
    "alternatives": {"anyOf": [{"type": "string"}] * 10_000},
    "negations": {"properties": {f"p{index}": {"not": {"not": {}}} for index in range(4_900)}},
    "an enumeration": {"enum": [f"value {index}" for index in range(20_000)]},
    "doubling references": doubling(30),
}


@pytest.mark.parametrize("name", SCHEMAS)
async def test_an_accepted_schema_is_checked_quickly(name: str) -> None:
    assert await longest_pause_s(lambda: check_schema(SCHEMAS[name])) < LONGEST_PAUSE_S


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (properties(20_000), "properties"),
        ({"anyOf": [{"type": "string"}] * 30_000}, "keywords"),
        ({"properties": {f"p{index}": properties(2_000) for index in range(3)}}, "properties"),
    ],
)
async def test_a_schema_over_the_limits_is_refused_quickly(schema: dict[str, Any], reason: str) -> None:
    def refused() -> None:
        with pytest.raises(InvalidSchema, match=reason):
            check_schema(schema)

    assert await longest_pause_s(refused) < LONGEST_PAUSE_S


def test_the_refusal_names_the_parameter() -> None:
    with pytest.raises(InvalidRequest, match="5,000 properties") as refused:
        validation.check_schema(properties(20_000), "response_format.json_schema.schema")
    assert refused.value.param == "response_format.json_schema.schema"


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "objekt"},
        {"properties": {"a": {"type": 7}}},
        {"required": "a"},
        {"required": ["a", "a"]},
        {"items": [{}]},
        {"$defs": {"a": 7}},
        {"$ref": 7},
        {"minLength": -1},
        {"enum": "a"},
        {"additionalProperties": {"anyOf": []}},
        {"prefixItems": [{"type": []}]},
    ],
)
def test_what_is_no_schema_is_still_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema):
        check_schema(wrong)


@pytest.mark.parametrize(
    "schema", [{}, {"$dynamicRef": "#a"}, {"$ref": "#/$defs/a", "$defs": {"a": True}}, {"default": 7}]
)
def test_a_schema_is_accepted(schema: dict[str, Any]) -> None:
    check_schema(schema)


ANSWERS: dict[str, tuple[Mapping[str, Any], Any]] = {
    "doubling references": (doubling(30), 1),
    "alternatives for a large value": ({"anyOf": [{"type": "string"}] * 10_000}, ["x" * 1_000_000]),
    "many items": ({"items": {"anyOf": [{"type": "string"}, {"type": "array"}]}}, [1] * 200_000),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_is_costly_to_check_is_given_up(name: str) -> None:
    schema, value = ANSWERS[name]
    answer = orjson.dumps(value).decode()

    def given_up() -> None:
        with pytest.raises(InvalidAnswer, match="too long to be checked"):
            Format(schema).read(answer)

    assert await longest_pause_s(given_up, in_thread=True) < LONGEST_PAUSE_S


async def test_unique_items_are_compared_quickly() -> None:
    schema = {"type": "array", "uniqueItems": True}
    unique = orjson.dumps([{"a": index} for index in range(50_000)]).decode()
    assert await longest_pause_s(lambda: Format(schema).read(unique)) < LONGEST_PAUSE_S
    with pytest.raises(InvalidAnswer, match="not unique"):
        Format(schema).read(orjson.dumps([*range(200), 7]).decode())


BODIES = {
    "nested arrays": b",".join([b"[" * 60 + b"]" * 60] * 70_000),
    "objects": b",".join([b'{"a":1}'] * 200_000),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_of_too_many_members_is_refused_quickly(name: str) -> None:
    def refused() -> None:
        with pytest.raises(InvalidRequest, match="too many members"):
            strict_json.loads(b'{"a":[' + BODIES[name] + b"]}")

    assert await longest_pause_s(refused) < LONGEST_PAUSE_S


TEXT = "Größe " * 1_500_000
BODY_ITEM = b'{"a":1,"b":2,"c":3}'
WORK: dict[str, Callable[[], Any]] = {
    "references of a large tool": lambda: list(validation.references(properties(40_000))),
    "tokens of a large definition": lambda: definitions.tokens({"description": TEXT}),
    "a long query": lambda: query.from_messages([{"role": "user", "content": TEXT}]),
    "a long history": lambda: stored_history._trimmed([{"role": "user", "content": TEXT}] * 3),
    "an image": lambda: images._data_url(b"GIF89a" + bytes(images.MOST_BYTES)),
    "a body at the limit": lambda: strict_json.loads(b'{"a":[' + b",".join([BODY_ITEM] * 19_000) + b"]}"),
}


@pytest.mark.parametrize("name", WORK)
async def test_large_work_is_quick(name: str) -> None:
    assert await longest_pause_s(WORK[name]) < LONGEST_PAUSE_S
