"""Which tools the words of a message ask for."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from config.standin import arguments
from config.standin.arguments import Filled
from config.standin.wire import Call

Function = dict[str, Any]
"""An OpenAI function definition: name, description, parameters (JSON schema)."""

_MOST_CALLS = 8
_ENOUGH = 2  # one word of the name, or two of the description
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
_IDLE = frozenset(
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
    """Where the message names the tool in full; -1: nowhere."""


def calls(said: str, tools: Sequence[Function], choice: Any, parallel: bool) -> tuple[Call, ...]:
    """The calls that `said` asks for; none where nothing fits and `choice` (a tool_choice) lets it be."""
    forced = _forced_name(choice)
    offered = [tool for tool in tools if forced in (None, tool["name"])]
    must = choice == "required" or forced is not None
    candidates = [found for tool in offered if (found := _candidate(said, tool, must)) is not None]
    made = [
        Call(found.function["name"], json.dumps(each, ensure_ascii=False))
        for found in _chosen(candidates, must)
        for each in arguments.spread(found.function.get("parameters") or {}, found.filled, said)
    ]
    return tuple(made[: _MOST_CALLS if parallel else 1])


def words(text: str) -> set[str]:
    """The telling words of a text or an identifier, in lower case and without a plural's s."""
    found = {word.lower() for word in _WORD.findall(text)} - _IDLE
    return {word[:-1] if word.endswith("s") and len(word) > 3 else word for word in found}


def _forced_name(choice: Any) -> str | None:
    return choice.get("function", {}).get("name") if isinstance(choice, dict) else None


def _candidate(said: str, tool: Function, must: bool) -> Candidate | None:
    schema = tool.get("parameters") or {}
    filled = arguments.fill(schema, said, invent=must)
    if filled is None:
        return None
    score = _score(words(said), tool) - filled.guessed
    named = _named_at(said, tool["name"])
    if named < 0 and score < _ENOUGH and not must:
        return None
    return Candidate(tool, score + filled.found, filled, named)


def _score(said: set[str], tool: Function) -> int:
    name = words(tool["name"])
    described = words(tool.get("description") or "") - name
    asked = words(" ".join((tool.get("parameters") or {}).get("properties") or {})) - name - described
    return 3 * len(said & name) + len(said & described) + len(said & asked)


def _named_at(said: str, name: str) -> int:
    """Where `said` has the tool's name, with or without its server's; -1 for a name that is just a word."""
    short = name.rpartition("__")[2]
    places = [said.find(form) for form in (name, short) if re.search(r"[_.-]", form)]
    return max(places, default=-1)


def _chosen(candidates: Sequence[Candidate], must: bool) -> list[Candidate]:
    named = sorted((each for each in candidates if each.named >= 0), key=lambda each: each.named)
    if named or not candidates:
        return named
    best = max(candidates, key=lambda each: each.score)
    return [best] if must or best.score >= _ENOUGH else []
