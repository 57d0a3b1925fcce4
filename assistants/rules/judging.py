"""The shapes of judging; no rule is read yet."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from apikeys.principal import Principal
from assistants.catalogue import FunctionEntry
from assistants.models import Approver, Effect

_STRICTNESS = (Effect.ALLOW, Effect.MASK, Effect.ASK, Effect.DENY)


@dataclass(frozen=True, slots=True)
class Call:
    """All that a rule may look at."""

    function: FunctionEntry
    arguments: Mapping[str, Any]
    principal: Principal
    assistant_slug: str
    end_user: str
    touched: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`arguments`: masked where masks matched."""

    effect: Effect
    arguments: Mapping[str, Any]
    rule_id: int | None = None
    rule_name: str = ""
    reason: str = ""
    approver: Approver = Approver.STAFF


class RuleSet:
    """The rules that concern an assistant and a key."""

    is_empty = True
    reads_touched = False

    def judge(self, call: Call) -> Verdict:
        return Verdict(Effect.ALLOW, call.arguments)


async def of(assistant_id: int | None, key_id: int) -> RuleSet:
    return RuleSet()


def of_sync(assistant_id: int | None, key_id: int) -> RuleSet:
    return RuleSet()


def stricter(a: Verdict, b: Verdict) -> Verdict:
    """Returns the stricter of two verdicts."""
    return max(a, b, key=lambda each: (_STRICTNESS.index(each.effect), each.approver == Approver.STAFF))
