"""Rules: what becomes of a call before it is made. Judging is pure, from memory."""

from assistants.rules.judging import Call, RuleSet, Verdict, of, of_sync, stricter

__all__ = ["Call", "RuleSet", "Verdict", "of", "of_sync", "stricter"]
