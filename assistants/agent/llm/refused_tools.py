"""Tools that an LLM service refuses although the rest of the request is in order, and what it says of them.

Services refuse a whole request for one tool's schema. They name the tool, or its place in the list.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from assistants.agent.llm.client import LLMClient
from assistants.agent.llm.spec import Spec
from assistants.errors import UpstreamFailed, UpstreamRefused
from core.message import Message

MOST_A_RUN = 8
_REMEMBERED_S = 3_600.0
_MOST_REMEMBERED = 10_000
_PLACES = (
    # Gemini: `tools[0].function_declarations[2].parameters`, for all of its tools are one.
    (re.compile(r"function_?declarations\W{1,3}(\d{1,4})\b", re.IGNORECASE), 0),
    # Bedrock's validation counts from 1: `toolConfig.tools.1.member.toolSpec.name`.
    (re.compile(r"\btools\.(\d{1,4})\.member\b"), 1),
    # OpenAI: `tools[3].function.parameters`. Anthropic: `tools.0.custom.input_schema`. vLLM: `'tools', 3,`.
    (re.compile(r"\btools['\"]?[\[.,]\s{0,2}(\d{1,4})\b"), 0),
)
# A name may be a usual word, so it counts only where it is clearly one.
_BEHIND_A_WORD = r"(?i:function|tool|declaration)(?:[ _]?name)?\W{1,4}(NAMES)(?![\w-])"
_QUOTED = r"['\"`](NAMES)\\?['\"`]"
_ABOUT_TOOLS = re.compile(r"schema|parameters|function|tool|declaration", re.IGNORECASE)
_ABOUT_OTHERS = re.compile(r"tool_choice|tool_call|tool_use|messages\W{0,3}\d|contents\W{0,3}\d")


def refused(failure: UpstreamFailed, specs: Sequence[Spec]) -> Spec | None:
    """Returns the tool, of those that were sent, for which the service refused the request; else None."""
    text = failure.upstream_text if isinstance(failure, UpstreamRefused) else ""
    if not text:
        return None
    by_name = {spec["name"]: spec for spec in specs}
    is_about_others = _ABOUT_OTHERS.search(text) is not None
    if not is_about_others and (name := _search(_BEHIND_A_WORD, by_name, text)):
        return by_name[name]
    if (index := _place(text)) is not None:
        return specs[index] if 0 <= index < len(specs) else None
    is_named = _ABOUT_TOOLS.search(text) and not is_about_others
    return by_name.get(_search(_QUOTED, by_name, text)) if is_named else None


def _place(text: str) -> int | None:
    found = ((pattern.search(text), first) for pattern, first in _PLACES)
    return next((int(place[1]) - first for place, first in found if place), None)


def _search(pattern: str, names: Iterable[str], text: str) -> str:
    """Returns the first of the names that stands as the pattern says, or ""."""
    longest_first = sorted(names, key=len, reverse=True)
    found = re.search(pattern.replace("NAMES", "|".join(map(re.escape, longest_first))), text)
    return found[1] if found else ""


def of_caller(name: str, failure: UpstreamFailed) -> UpstreamRefused:
    """Returns the error for a tool that the caller brought."""
    message = Message(
        "The language model's service refused the definition of your tool '%(name)s'.", name=name
    )
    refusal = UpstreamRefused(message, code="invalid_function_parameters", param="tools")
    refusal.__cause__ = failure
    return refusal


class Memory:
    """The refusals of this process, so that not each run asks anew: of a model, for a definition."""

    def __init__(self) -> None:
        self._until: OrderedDict[tuple[str, str, int], float] = OrderedDict()

    def add(self, client: LLMClient, spec: Spec) -> None:
        self._until[_key(client, spec)] = time.monotonic() + _REMEMBERED_S
        while len(self._until) > _MOST_REMEMBERED:
            self._until.popitem(last=False)

    def has(self, client: LLMClient, spec: Spec) -> bool:
        return bool(self._until) and self._until.get(_key(client, spec), 0.0) > time.monotonic()


def _key(client: LLMClient, spec: Spec) -> tuple[str, str, int]:
    return client.service, client.model, spec.digest


known = Memory()
