"""What a file says of the tools of a server: whether it listed them yet or not."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from assistants.configuration import difference
from assistants.configuration.kinds import Fields
from assistants.configuration.schema import ServerEntry, ToolEntry
from core.actor import Actor
from tools.functions import actions
from tools.functions.expecting import approve_expected, expect
from tools.models import Approval, MCPTool, ToolFunction

OTHER_DEFINITION = "its definition is not the one that the file approves: look at it, and approve it or not."
_OVERRIDES = ("name", "description")


def exported(rule_functions: Collection[str]) -> Mapping[int, dict[str, Fields]]:
    """Returns, by server, the tools of which staff have said something, and those with these public names."""
    tools: dict[int, dict[str, Fields]] = defaultdict(dict)
    columns = ("server_id", "name", "public_name", "is_enabled", "overrides", "labels", "approved_hash")
    functions = ToolFunction.objects.select_related("server").only(*columns, "server__approval")
    for function in functions.order_by("server_id", "name").iterator():
        is_pinned = function.server.approval == Approval.PINNED
        approved = {"approved": function.approved_hash} if is_pinned and function.approved_hash else {}
        said = {name: value for name, value in _shown(function).items() if value != _DEFAULTS[name]}
        if said or approved or function.public_name in rule_functions:
            tools[function.server_id][function.name] = {**said, **approved}
    return tools


class ToolSettings:
    """Applies the settings of tools. `lines`: what differs; `steps`: what staff have to do."""

    def __init__(self, by: Actor) -> None:
        self._by = by
        self.lines: list[str] = []
        self.steps: list[str] = []

    def apply(self, entry: ServerEntry) -> None:
        if not entry.tools:
            return
        rows = ToolFunction.objects.filter(server__slug=entry.slug, name__in=entry.tools)
        rows = rows.select_for_update(of=("self",)).without_vectors()
        known = {row.name: row for row in rows.order_by("pk")}
        for name, wanted in sorted(entry.tools.items()):
            function = known.get(name) or self._expected(entry.slug, name)
            self._set(function, wanted)
            is_pinned = entry.approval == Approval.PINNED
            if is_pinned and wanted.approved not in ("", function.approved_hash):
                self._approve(function, wanted.approved)

    def _expected(self, slug: str, name: str) -> ToolFunction:
        server = MCPTool.objects.select_for_update().without_vectors().get(slug=slug)
        function = expect(server, name, by=self._by)
        self.lines.append(f"+ tool {function.public_name}")
        return function

    def _set(self, function: ToolFunction, entry: ToolEntry) -> None:
        before = _shown(function)
        after = {name: getattr(entry, name) for name in before}
        changed = {name: value for name, value in after.items() if value != before[name]}
        if changed:
            self.lines += difference.lines(f"tool {function.public_name}", before, after)
            actions.update(function, by=self._by, **_for_verb(changed))

    def _approve(self, function: ToolFunction, definition_hash: str) -> None:
        if function.definition_hash not in ("", definition_hash):
            self.steps.append(f"tool {function.public_name}: {OTHER_DEFINITION}")
            return
        if function.definition_hash:
            actions.update(function, by=self._by, approve=True)
        else:
            approve_expected(function, definition_hash, by=self._by)
        self.lines.append(f"~ tool {function.public_name}: approved: {definition_hash}")


_DEFAULTS: Fields = {"is_enabled": True, "name": "", "description": "", "labels": None}


def _shown(function: ToolFunction) -> Fields:
    overrides = {name: function.overrides.get(name, "") for name in _OVERRIDES}
    labels = None if function.labels is None else sorted(function.labels)
    return {"is_enabled": function.is_enabled, **overrides, "labels": labels}


def _for_verb(changed: Fields) -> dict[str, Any]:
    overrides = {name: changed[name] for name in _OVERRIDES if name in changed}
    others = {name: value for name, value in changed.items() if name not in _OVERRIDES}
    return {**others, **({"overrides": overrides} if overrides else {})}
