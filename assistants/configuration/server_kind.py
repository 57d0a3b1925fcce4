"""MCP servers. Their tools are in `tool_settings`."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from assistants.configuration.kinds import Fields, Kind, as_shown, require_readable
from assistants.configuration.schema import ServerEntry
from assistants.configuration.secret_references import Filling, Names, foreign
from core.actor import Actor
from tools import actions
from tools.models import MCPTool
from tools.secrets.detection import may_be_secret
from tools.secrets.encryption import Unreadable
from tools.secrets.masking import MASK, UNREADABLE, masked_args, masked_url

_REACHED_BY = ("connection_type", "url", "env", "headers")
_SCHEME_AND_REFERENCE = re.compile(r"(?:[A-Za-z]{1,16} )?\$\{\w+\}", re.ASCII)
"""A header that holds no secret itself: `Bearer ${TOKEN}`."""


class Servers(Kind[MCPTool]):
    section, noun, entry = "servers", "server", ServerEntry
    secrets = frozenset({"args", "env", "url", "headers"})

    def rows(self) -> Iterable[MCPTool]:
        return MCPTool.objects.present().without_vectors().order_by("slug")

    def shown(self, row: MCPTool) -> Fields:
        shown = as_shown(row, ServerEntry, tools={}, labels=sorted(row.labels))
        del shown["tools"]
        return shown

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        own = fields["env"].keys()
        stored_args = _as_many(stored.get("args"), fields["args"])
        args = [
            filling.text(f"args.{at}", arg, kept, own)
            for at, (arg, kept) in enumerate(zip(fields["args"], stored_args, strict=True), 1)
        ]
        return {
            **fields,
            "args": args,
            "env": filling.texts("env", fields["env"], stored.get("env")),
            "url": filling.text("url", fields["url"], stored.get("url"), own),
            "headers": filling.texts("headers", fields["headers"], stored.get("headers"), own),
        }

    def referring(self, fields: Fields, names: Names) -> Fields:
        require_readable(f"server {fields['slug']}", fields)
        slug, env, url = fields["slug"], fields["env"], fields["url"]

        def reference(*parts: str) -> str:
            return names.reference("server", slug, *parts, own=env.keys())

        def header(name: str, value: str) -> str:
            is_clear = not value or (_SCHEME_AND_REFERENCE.fullmatch(value) and not foreign(value, env))
            return value if is_clear else reference("header", name)

        args = zip(fields["args"], masked_args(fields["args"]), strict=True)
        return {
            **fields,
            "args": [
                arg if _is_clear(arg, shown, env) else reference("arg", str(at))
                for at, (arg, shown) in enumerate(args, 1)
            ],
            "env": {name: reference(name) if value else "" for name, value in env.items()},
            "url": url if _is_clear(url, masked_url(url), env) else reference("url"),
            "headers": {name: header(name, value) for name, value in fields["headers"].items()},
        }

    def add(self, fields: Fields, by: Actor) -> MCPTool:
        return actions.register(by=by, **fields)

    def change(self, row: MCPTool, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        sent = {
            **fields,
            **{field: _masked_if_kept(field, fields[field], filling) for field in ("env", "headers")},
        }
        # At another address what is sent there is asked for again. The verb refuses to take along what is
        # kept.
        names = changed.union(_REACHED_BY) if changed.intersection(_REACHED_BY) else changed
        unreadable = {name for name in names if isinstance(sent[name], Unreadable)}
        actions.update(row, by=by, **{name: sent[name] for name in names - unreadable})

    def remove(self, row: MCPTool, by: Actor) -> None:
        actions.delete(row, by=by)


def _as_many(stored: Any, args: Sequence[str]) -> Sequence[str]:
    """Returns the stored arguments, or none where there are more or fewer: places mean nothing then."""
    return stored if isinstance(stored, list) and len(stored) == len(args) else [""] * len(args)


def _is_clear(text: str, masked: str, own: Collection[str]) -> bool:
    """Returns whether a text is exported as it is. One that is empty is, as there is nothing to be kept."""
    if not text:
        return True
    is_shown = MASK in text or text == UNREADABLE  # stored by an import, and refused where a file has it
    return text == masked and not (is_shown or may_be_secret(text) or foreign(text, own))


def _masked_if_kept(field: str, values: Any, filling: Filling) -> Any:
    if isinstance(values, Unreadable):  # kept as a whole
        return values
    return {name: MASK if (field, name) in filling.kept else value for name, value in values.items()}
