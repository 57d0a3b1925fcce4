"""Writes a draft as a configuration file, for Git: with references in place of its secrets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assistants.configuration import as_yaml
from assistants.configuration.schema import ProviderEntry, ServerEntry
from assistants.configuration.secret_references import Names, foreign
from assistants.configuration.server_kind import Servers
from assistants.importers.draft import Draft
from assistants.importers.placing import Moved

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
    what, key = f"the API key of provider {provider.name}", provider.api_key
    if key and not _REFERENCE.fullmatch(key):
        provider.api_key = names.reference("provider", provider.name, "api-key")
    if key:
        yield _set(provider.api_key, what, is_given=key != provider.api_key)


def _refer_server(server: ServerEntry, names: Names) -> Iterator[str]:
    before = server.model_dump()
    referring = Servers().referring(before, names)
    for name, value in server.env.items():
        if not value or _REFERENCE.fullmatch(value):
            referring["env"][name] = value
    for field in ("args", "env", "url", "headers"):
        setattr(server, field, referring[field])
        for place, own, new in _pairs(before[field], referring[field]):
            if new and (field == "env" or new != own):
                yield _set(new, f"{field} {place}".strip() + f" of server {server.slug}", is_given=new != own)


def _pairs(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """Yields the place in a field, what stands there, and what is to stand there."""
    if isinstance(before, dict):
        yield from ((name, own, after[name]) for name, own in before.items())
    elif isinstance(before, list):
        yield from ((str(at), own, after[at - 1]) for at, own in enumerate(before, 1))
    else:
        yield "", before, after


def _set(reference: str, what: str, *, is_given: bool) -> str:
    value = "the imported file has the value" if is_given else "the other product had it from its environment"
    return f"set {', '.join(foreign(reference))} for apply_config: it is {what}; {value}."
