"""The order of rules: within each scope, those of the file stand as the file has them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from assistants import actions
from assistants.models import Rule
from core.actor import Actor
from core.printable import shown

Scope = tuple[int | None, int | None]


def put_in_order(names: Sequence[str], *, by: Actor) -> Iterator[str]:
    """Moves rules to where they should stand; yields a line for each scope. Other rules keep their places."""
    wanted = {name.lower(): at for at, name in enumerate(names)}
    for rules in _by_scope().values():
        ours = [rule for rule in rules if rule.name.lower() in wanted]
        in_order = iter(sorted(ours, key=lambda rule: wanted[rule.name.lower()]))
        moved = [next(in_order) if rule.name.lower() in wanted else rule for rule in rules]
        if moved != rules:
            actions.reorder_rules([rule.pk for rule in moved], by=by)
            yield f"~ rules: order: {_listed(rules)} -> {_listed(moved)}"


def _by_scope() -> dict[Scope, list[Rule]]:
    scopes: dict[Scope, list[Rule]] = defaultdict(list)
    for rule in Rule.objects.order_by("position", "id"):
        scopes[rule.assistant_id, rule.api_key_id].append(rule)
    return scopes


def _listed(rules: Sequence[Rule]) -> str:
    return ", ".join(shown(rule.name) for rule in rules)
