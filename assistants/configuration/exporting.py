"""Exports what is configured as a file, without what has its default, and without any secret."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from apikeys.models import ApiKey
from assistants.configuration import tool_settings
from assistants.configuration.applying import KINDS
from assistants.configuration.caller_kinds import is_expired
from assistants.configuration.kinds import Fields, Kind
from assistants.configuration.schema import SECTIONS, VERSION, UseEntry, defaults
from assistants.configuration.secret_references import Names
from tools.models import MCPTool


def export() -> str:
    """Returns the file. Raises InvalidConfiguration where a secret cannot be decrypted."""
    names = Names()
    sections = {of_kind.section: _section(of_kind(), names) for of_kind in KINDS}
    _drop_expired_keys(sections)
    _add_tools(sections)
    return as_yaml({name: sections[name] for name in SECTIONS if sections[name]})


def as_yaml(sections: Mapping[str, list[Fields]]) -> str:
    """Returns the file of these sections, as people read it best."""
    return yaml.dump(
        {"version": VERSION, **sections},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )


_BREAKS = re.compile("[\x85\u2028\u2029]")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and everything out: no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Line breaks of Unicode would be read as `\n` or as a space: in quotes they are escaped.
    style = '"' if _BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _section(kind: Kind[Any], names: Names) -> list[Fields]:
    rows = [row for row in kind.rows() if kind.is_exported(row)]
    usual = defaults(kind.entry)
    return [_minimal(kind.referring(kind.shown(row), names), usual) for row in rows]


def _minimal(fields: Fields, usual: Mapping[str, Any]) -> Fields:
    return {name: _part(value) for name, value in fields.items() if name not in usual or value != usual[name]}


def _part(value: Any) -> Any:
    """Returns a value as it is written: the parts of an entry without what they leave out."""
    if isinstance(value, list):
        return [_minimal(each, _USE) if isinstance(each, dict) else each for each in value]
    return value


_USE = defaults(UseEntry)


def _drop_expired_keys(sections: Mapping[str, list[Fields]]) -> None:
    expired = {row.name for row in ApiKey.objects.all() if is_expired(row)}
    for assistant in sections["assistants"]:
        granted = [name for name in assistant.pop("api_keys", ()) if name not in expired]
        if granted:
            assistant["api_keys"] = granted


def _add_tools(sections: Mapping[str, list[Fields]]) -> None:
    """Adds the tools of servers, also those that rules alone name: the file holds all to which it refers."""
    named = {name for rule in sections["rules"] for name in rule.get("when", {}).get("functions", ())}
    ids = dict(MCPTool.objects.present().values_list("slug", "pk"))
    tools = tool_settings.exported(named)
    for server in sections["servers"]:
        if of_server := tools.get(ids.get(server["slug"], 0)):
            server["tools"] = of_server
