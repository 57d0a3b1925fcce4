"""Rules: what becomes of a call before it is made. Judging is pure, from memory."""

from assistants.rules.conditions import Conditions, InvalidConditions
from assistants.rules.judging import CompiledRule, RuleSet
from assistants.rules.loading import of, of_sync
from assistants.rules.verdicts import Call, Verdict, stricter

__all__ = [
    "Call",
    "CompiledRule",
    "Conditions",
    "InvalidConditions",
    "RuleSet",
    "Verdict",
    "of",
    "of_sync",
    "stricter",
]
