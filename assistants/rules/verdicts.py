"""What rules look at, and what they say."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from apikeys.principal import Principal
from assistants.catalogue import FunctionEntry
from assistants.models import Approver, Effect
from assistants.rules.masks import Mask, masked

_STRICTNESS = (Effect.ALLOW, Effect.MASK, Effect.ASK, Effect.DENY)


@dataclass(frozen=True, slots=True)
class Call:
    """All that a rule may look at. `touched`: labels of what the conversation has touched before."""

    function: FunctionEntry
    arguments: Mapping[str, Any]
    principal: Principal
    assistant_slug: str
    end_user: str
    touched: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a call. `arguments`: masked by all `masks`, whatever the effect is."""

    effect: Effect
    arguments: Mapping[str, Any]
    rule_id: int | None = None
    rule_name: str = ""
    reason: str = ""
    approver: Approver = Approver.STAFF
    masks: tuple[Mask, ...] = ()


def stricter(a: Verdict, b: Verdict) -> Verdict:
    """Returns the stricter of two verdicts about one call, the first where they are equally strict.

    It asks staff rather than the caller, and masks what either of them masks.
    """
    winner, other = (b, a) if _strictness(b) > _strictness(a) else (a, b)
    missing = tuple(mask for mask in other.masks if mask not in winner.masks)
    if not missing:
        return winner
    return replace(
        winner, arguments=masked(winner.arguments, missing), masks=(*winner.masks, *missing)
    )  # fmt: skip


def _strictness(verdict: Verdict) -> tuple[int, bool]:
    asks_staff = verdict.effect == Effect.ASK and verdict.approver == Approver.STAFF
    return _STRICTNESS.index(verdict.effect), asks_staff
