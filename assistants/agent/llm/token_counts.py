"""Counts of tokens as services report them, or estimated where they report none."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PROMPT = ("prompt_tokens", "input_tokens")
_COMPLETION = ("completion_tokens", "output_tokens")
_CHARACTERS_PER_TOKEN = 4
_CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
"""What services other than OpenAI call `prompt_tokens_details.cached_tokens`, beside the counts."""


@dataclass(slots=True)
class TokenCounts:
    """The tokens of one call of a model. 0: none reported."""

    prompt: int = 0
    completion: int = 0
    prompt_details: dict[str, int] = field(default_factory=dict)
    completion_details: dict[str, int] = field(default_factory=dict)

    def add(self, usage: Any) -> None:
        """Read a usage object. The last count holds: some services repeat a growing one in each chunk."""
        if not isinstance(usage, dict):
            return
        self.prompt = _first(usage, _PROMPT) or self.prompt
        self.completion = _first(usage, _COMPLETION) or self.completion
        total = count(usage.get("total_tokens"))
        if not self.prompt and total > self.completion > 0:
            self.prompt = total - self.completion
        self.prompt_details |= _details(usage, ("prompt_tokens_details", "input_tokens_details"))
        self.completion_details |= _details(usage, ("completion_tokens_details", "output_tokens_details"))
        if cached := _first(usage, _CACHED):
            self.prompt_details.setdefault("cached_tokens", cached)
        if reasoned := count(usage.get("reasoning_tokens")):
            self.completion_details.setdefault("reasoning_tokens", reasoned)

    def estimate_missing(self, prompt: Iterable[str], completion: Iterable[str]) -> bool:
        """Estimate what was not reported, from the texts. Returns whether anything was."""
        is_estimated = False
        if not self.prompt:
            self.prompt, is_estimated = of_texts(prompt), True
        if not self.completion and (written := of_texts(completion)):
            self.completion, is_estimated = written, True
        return is_estimated


def of_texts(texts: Iterable[str]) -> int:
    """Returns an estimate of one token for four characters."""
    return -(-sum(map(len, texts)) // _CHARACTERS_PER_TOKEN)


def count(value: Any) -> int:
    """Returns a number of tokens, a fraction rounded up; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(math.ceil(value), 0)


def _first(usage: Mapping[str, Any], names: Iterable[str]) -> int:
    return next((tokens for name in names if (tokens := count(usage.get(name)))), 0)


def _details(usage: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    given = next((value for name in names if isinstance(value := usage.get(name), dict)), {})
    return {
        name: tokens for name, value in given.items() if isinstance(name, str) and (tokens := count(value))
    }
