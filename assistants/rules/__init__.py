"""Rules: what becomes of a call before it is made. Judging is pure, from memory."""

from assistants.rules.conditions import Conditions, InvalidConditions
from assistants.rules.dry_run import PERIOD, DryRun, PastCall, dry_run
from assistants.rules.judging import CompiledRule, RuleSet
from assistants.rules.loading import of, of_sync
from assistants.rules.reading import InvalidExpression
from assistants.rules.verdicts import Call, Verdict, stricter

__all__ = [
    "PERIOD",
    "Call",
    "CompiledRule",
    "Conditions",
    "DryRun",
    "InvalidConditions",
    "InvalidExpression",
    "PastCall",
    "RuleSet",
    "Verdict",
    "dry_run",
    "of",
    "of_sync",
    "stricter",
]
