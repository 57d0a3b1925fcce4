"""Rules. Where they stand is their order in the file: see `rule_order`."""

from collections.abc import Iterable
from typing import Any

from apikeys.models import ApiKey
from assistants import actions
from assistants.configuration.caller_kinds import is_expired
from assistants.configuration.kinds import Fields, Kind, as_shown, named
from assistants.configuration.schema import RuleEntry
from assistants.configuration.secret_references import Filling
from assistants.models import Assistant, Rule
from core.actor import Actor
from tools.models import MCPTool, ToolFunction

_OF_VERB = {"when": "conditions", "then": "effect"}
_WHOSE = {"assistant", "api_key"}


class Rules(Kind[Rule]):
    section, noun, entry = "rules", "rule", RuleEntry

    def __init__(self) -> None:
        self._servers = {row.slug: row for row in MCPTool.objects.present().only("slug")}
        self._slugs = {row.pk: slug for slug, row in self._servers.items()}
        self._functions = set(ToolFunction.objects.values_list("public_name", flat=True))
        self._assistants = {row.slug: row for row in Assistant.objects.only("slug")}
        self._keys = {row.name: row for row in ApiKey.objects.all()}

    def rows(self) -> Iterable[Rule]:
        return Rule.objects.select_related("assistant", "api_key").order_by("scope", "position", "id")

    def shown(self, row: Rule) -> Fields:
        return as_shown(
            row,
            RuleEntry,
            assistant=row.assistant.slug if row.assistant else "",
            api_key=row.api_key.name if row.api_key else "",
            when=self._present(row.conditions),
            then=row.effect,
        )

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        when = {name: value for name, value in fields["when"].items() if value is not None}
        return {**fields, "when": when}

    def is_exported(self, row: Rule) -> bool:
        """A rule matches nothing any more where its key has expired, or all that it names is gone."""
        conditions = self._present(row.conditions)
        is_empty = any(conditions.get(name) == [] for name in ("servers", "functions"))
        return not is_empty and not (row.api_key and is_expired(row.api_key))

    def add(self, fields: Fields, by: Actor) -> Rule:
        return actions.add_rule(by=by, **self._for_verb(fields, set(fields)))

    def change(self, row: Rule, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        actions.update_rule(row, by=by, **self._for_verb(fields, changed))

    def remove(self, row: Rule, by: Actor) -> None:
        actions.delete_rule(row, by=by)

    def _present(self, conditions: Fields) -> Fields:
        """Returns stored conditions with slugs, without the servers and tools that are gone."""
        shown = dict(conditions)
        if "servers" in shown:
            shown["servers"] = [self._slugs[pk] for pk in shown["servers"] if pk in self._slugs]
        if "functions" in shown:
            shown["functions"] = [name for name in shown["functions"] if name in self._functions]
        return shown

    def _for_verb(self, fields: Fields, names: set[str]) -> Fields:
        sent = {_OF_VERB.get(name, name): self._as_verb(name, fields[name]) for name in names - _WHOSE}
        if names & _WHOSE:
            sent["assistant"] = self._as_verb("assistant", fields["assistant"])
            sent["api_key"] = self._as_verb("api_key", fields["api_key"])
            sent["scope"] = _scope(fields)
        return sent

    def _as_verb(self, name: str, value: Any) -> Any:
        if name == "assistant":
            return named(self._assistants, value, name, "assistant") if value else None
        if name == "api_key":
            return named(self._keys, value, name, "API key") if value else None
        if name == "when":
            return self._conditions(value)
        return value

    def _conditions(self, when: Fields) -> Fields:
        conditions = dict(when)
        if "servers" in conditions:
            servers = conditions["servers"]
            conditions["servers"] = [
                named(self._servers, slug, "when.servers", "server").pk for slug in servers
            ]
        return conditions


def _scope(fields: Fields) -> str:
    if fields["assistant"]:
        return Rule.Scope.ASSISTANT
    return Rule.Scope.KEY if fields["api_key"] else Rule.Scope.GLOBAL
