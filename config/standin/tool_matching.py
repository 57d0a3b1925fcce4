"""The tools whose names and descriptions share words with a message, and calls of them."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from config.standin import argument_filling
from config.standin.argument_filling import Filled
from config.standin.implied_words import implied
from config.standin.serialization import Call

Function = dict[str, Any]
"""An OpenAI function definition: name, description, parameters (JSON schema)."""

_MOST_CALLS = 8
_ENOUGH = 2  # one word of the name, or two of the description
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an and are as at be by call can do for from get give have how i in is it list me my of on or
        please run show tell that the this to tool use using want what when which with you your""",
    )
)


class Candidate(NamedTuple):
    function: Function
    score: int
    filled: Filled
    named: int
    """The position at which the message names the tool in full, or -1."""


def calls(message: str, tools: Sequence[Function], choice: Any, parallel: bool) -> tuple[Call, ...]:
    """Returns the calls that the message asks for; at least one where `choice`, a tool_choice, forces it."""
    forced = _forced_name(choice)
    offered = [tool for tool in tools if forced in (None, tool["name"])]
    must = choice == "required" or forced is not None
    candidates = [found for tool in offered if (found := _candidate(message, tool, must)) is not None]
    made = [call for found in _best(candidates, must) for call in _calls(found, message)]
    return tuple(made[: _MOST_CALLS if parallel else 1])


def words(text: str) -> set[str]:
    """Returns the words of a text or an identifier, in lower case, without stop words and a plural's s."""
    found = {word.lower() for word in _WORD.findall(text)} - _STOP_WORDS
    return {word[:-1] if word.endswith("s") and len(word) > 3 else word for word in found}


def _calls(found: Candidate, message: str) -> Iterator[Call]:
    schema = found.function.get("parameters") or {}
    for arguments in argument_filling.one_for_each_zone(schema, found.filled, message):
        yield Call(found.function["name"], json.dumps(arguments, ensure_ascii=False))


def _forced_name(choice: Any) -> str | None:
    return choice.get("function", {}).get("name") if isinstance(choice, dict) else None


def _candidate(message: str, tool: Function, must: bool) -> Candidate | None:
    schema = tool.get("parameters") or {}
    filled = argument_filling.fill(schema, message, invent=must)
    if filled is None:
        return None
    score = _score(words(message) | implied(message), tool) - filled.guessed
    named = _named_at(message, tool["name"])
    if named < 0 and score < _ENOUGH and not must:
        return None
    return Candidate(tool, score + filled.found, filled, named)


def _score(asked: set[str], tool: Function) -> int:
    """A word of the tool's name counts three times as much as one of its description or its arguments."""
    name = words(tool["name"])
    described = words(tool.get("description") or "") - name
    arguments = words(" ".join((tool.get("parameters") or {}).get("properties") or {})) - name - described
    return 3 * len(asked & name) + len(asked & described) + len(asked & arguments)


def _named_at(message: str, name: str) -> int:
    """Returns where the message has the tool's name, with or without its server's, or -1.

    A name of one word does not count: the message may only happen to have it.
    """
    short = name.rpartition("__")[2]
    positions = [message.find(form) for form in (name, short) if re.search(r"[_.-]", form)]
    return max(positions, default=-1)


def _best(candidates: Sequence[Candidate], must: bool) -> list[Candidate]:
    named = sorted((each for each in candidates if each.named >= 0), key=lambda each: each.named)
    if named or not candidates:
        return named
    best = max(candidates, key=lambda each: each.score)
    return [best] if must or best.score >= _ENOUGH else []
