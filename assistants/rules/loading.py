"""The rules from the database, kept in memory until the change feed reports a change."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistants.models import Rule
from assistants.rules.judging import CompiledRule, RuleSet
from core.database import in_thread
from core.feed import FeedCache

TABLES = ("assistants_rule",)
_Rules = Sequence[CompiledRule]
_NONE: _Rules = ()


@dataclass(slots=True)
class _AllRules:
    """All enabled rules, by position. They are few, and most calls are concerned by the global ones."""

    everywhere: list[CompiledRule] = field(default_factory=list)
    of_assistants: dict[int | None, list[CompiledRule]] = field(default_factory=dict)
    of_keys: dict[int | None, list[CompiledRule]] = field(default_factory=dict)
    sets: dict[tuple[int | None, int], RuleSet] = field(default_factory=dict)
    """What was asked for: at most one for each assistant and key with rules of their own."""

    def of(self, assistant_id: int | None, key_id: int) -> RuleSet:
        known = (
            assistant_id if assistant_id in self.of_assistants else None,
            key_id if key_id in self.of_keys else 0,
        )
        if known not in self.sets:
            own = (self.of_assistants.get(known[0], _NONE), self.of_keys.get(known[1], _NONE))
            self.sets[known] = RuleSet(self.everywhere, *own)
        return self.sets[known]


async def of(assistant_id: int | None, key_id: int) -> RuleSet:
    """Returns the rules for calls of an assistant with a key, from memory. `key_id` is 0 without a key."""
    return (await _cache.get(None)).of(assistant_id, key_id)


def of_sync(assistant_id: int | None, key_id: int) -> RuleSet:
    """Returns the same from the database."""
    return _read().of(assistant_id, key_id)


def _read() -> _AllRules:
    rules = _AllRules()
    for row in Rule.objects.filter(is_enabled=True).only("id", *Rule.FEED_COLUMNS).order_by("position", "id"):
        rule = CompiledRule.of(row)
        match row.scope:
            case Rule.Scope.GLOBAL:
                rules.everywhere.append(rule)
            case Rule.Scope.ASSISTANT:
                rules.of_assistants.setdefault(row.assistant_id, []).append(rule)
            case _:
                rules.of_keys.setdefault(row.api_key_id, []).append(rule)
    return rules


@in_thread
def _load(_: None) -> _AllRules:
    return _read()


_cache: FeedCache[None, _AllRules] = FeedCache(_load, TABLES)
