"""Writes a draft as a configuration file, for Git: with references in place of its secrets."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from assistants.configuration import as_yaml
from assistants.configuration.schema import ProviderEntry, ServerEntry
from assistants.configuration.secret_references import Names, foreign, secret_settings
from assistants.configuration.server_kind import Servers
from assistants.configuration.service_kinds import key_of_settings
from assistants.importers.draft import Draft
from assistants.importers.placing import Moved
from core.printable import shown

_REFERENCE = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Written:
    """`moved` tells where the values of the file's variables stand: in the foreign file, and nowhere else."""

    text: str
    moved: Moved


def write(draft: Draft) -> Written:
    """Returns a file for `apply_config`."""
    names, steps = Names(), list(draft.steps)
    for provider in draft.providers:
        steps += _refer_provider(provider, names)
    for server in draft.servers:
        steps += _refer_server(server, names)
    sections = draft.document().model_dump(exclude_defaults=True, exclude_none=True)
    del sections["version"]
    return Written(as_yaml(sections), Moved([], [str(each) for each in draft.left_out], steps))


def _refer_provider(provider: ProviderEntry, names: Names) -> Iterator[str]:
    what, key = f"the API key of provider {shown(provider.name)}", provider.api_key
    known = key_of_settings(provider.kind, provider.base_url)
    if key and not _is_reference(key, known):
        provider.api_key = names.reference("provider", provider.name, "api-key")
    if key:
        yield _set(provider.api_key, what, was=key)


def _refer_server(server: ServerEntry, names: Names) -> Iterator[str]:
    before = server.model_dump()
    referring = Servers().referring(before, names)
    for name, value in server.env.items():
        if not value or _is_reference(value):
            referring["env"][name] = value
    for field in ("args", "env", "url", "headers"):
        setattr(server, field, referring[field])
        for place, own, new in _pairs(before[field], referring[field]):
            if new and (field == "env" or new != own):
                what = f"{field} {shown(place)}".strip() + f" of server {server.slug}"
                yield _set(new, what, was=own)


def _is_reference(text: str, known: Collection[str] = ()) -> bool:
    """Returns whether a text is a reference that an application fills, as none to a secret of its own."""
    return bool(_REFERENCE.fullmatch(text)) and not {*secret_settings(foreign(text))} - {*known}


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Yields the place in a field, what stands there, and what is to stand there."""
    if isinstance(before, dict):
        yield from ((name, own, after[name]) for name, own in before.items())
    elif isinstance(before, list):
        yield from ((str(at), own, after[at - 1]) for at, own in enumerate(before, 1))
    else:
        yield "", before, after


def _set(reference: str, what: str, *, was: str) -> str:
    is_given = not _REFERENCE.fullmatch(was)
    value = "the imported file has the value" if is_given else "the other product had it from its environment"
    return f"set {', '.join(foreign(reference))} for apply_config: it is {what}; {value}."
