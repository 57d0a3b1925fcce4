"""Makes a draft fit an installation, which has objects of its own, and applies it as a configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apikeys.models import ApiKey
from assistants.configuration import InvalidConfiguration, apply
from assistants.configuration.schema import AssistantEntry, ProviderEntry, ServerEntry
from assistants.configuration.secret_references import foreign, secret_settings
from assistants.configuration.service_kinds import key_of_settings
from assistants.importers.draft import Draft
from assistants.importers.servers import refusal
from assistants.models import Alias, Assistant, Provider
from core.actor import Actor
from core.printable import shown
from tools import references
from tools.models import MCPTool
from tools.secrets.encryption import Unreadable
from tools.secrets.extraction import SecretLocation, Settings, find_missing
from tools.secrets.masking import MASK

BY = Actor.system("import_from")


@dataclass(slots=True)
class Moved:
    """`lines`: the difference that there was; `left_out`: what did not come over; `steps`: what is to do."""

    lines: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


def place(draft: Draft, *, update: bool = False, is_trial: bool = False) -> Moved:
    """Adds what is in the draft. Raises InvalidConfiguration, and changes nothing then.

    What is there already stays as it is, and is listed where it differs; with `update` it is changed.
    """
    stored = _Stored()
    _adopt_slugs(draft, stored)
    _drop_taken_names(draft, stored)
    _settle_providers(draft, stored)
    _settle_keys(draft, stored)
    _settle_servers(draft, stored)
    _keep_credentials(draft, stored)
    differing = [] if update else _leave_alone(draft, stored)
    applied = apply(draft.document(), by=BY, environ=draft.environ, is_trial=is_trial, is_import=True)
    left_out = [str(each) for each in draft.left_out]
    return Moved(applied.lines, left_out + differing, applied.steps + draft.steps)


class _Stored:
    """What is there, by what an application finds it by."""

    def __init__(self) -> None:
        servers = MCPTool.objects.present().without_vectors()
        self.servers = {row.slug: row for row in servers}
        self.server_slugs = {row.name.lower(): row.slug for row in self.servers.values()}
        assistants = Assistant.objects.without_vectors().only("slug", "name")
        self.assistant_slugs = {row.name.lower(): row.slug for row in assistants}
        self.assistants = {row.slug for row in assistants}
        self.aliases = dict(Alias.objects.values_list("name", "assistant__slug"))
        self.providers = {row.name.lower(): row for row in Provider.objects.all()}
        self.keys = {name.lower(): name for name in ApiKey.objects.values_list("name", flat=True)}


def _adopt_slugs(draft: Draft, stored: _Stored) -> None:
    """Gives entries the slugs of objects that have their names: they are taken for the same."""
    taken = {each.slug for each in draft.servers}
    adopted: dict[str, str] = {}
    for server in draft.servers:
        slug = stored.server_slugs.get(server.name.lower(), server.slug)
        if slug != server.slug and slug not in taken:
            adopted[server.slug] = server.slug = slug
    for use in (use for each in draft.assistants for use in each.tools):
        use.server = adopted.get(use.server, use.server)
    taken = {each.slug for each in draft.assistants}
    for assistant in draft.assistants:
        slug = stored.assistant_slugs.get(assistant.name.lower(), assistant.slug)
        if slug not in taken:
            assistant.slug = slug


def _drop_taken_names(draft: Draft, stored: _Stored) -> None:
    """Leaves out what other assistants that are there are called by."""
    for assistant in list(draft.assistants):
        if assistant.slug in stored.aliases:
            other = stored.aliases[assistant.slug]
            draft.assistants.remove(assistant)
            draft.leave_out(
                f"assistant {assistant.slug}", f"The assistant {other} has this name as an alias."
            )
            continue
        others = {name for name in assistant.aliases if _is_others(name, assistant, stored)}
        for name in sorted(others):
            draft.leave_out(f"assistant {assistant.slug}", f"Another assistant is already called {name}.")
        assistant.aliases = [name for name in assistant.aliases if name not in others]


def _is_others(name: str, assistant: AssistantEntry, stored: _Stored) -> bool:
    return stored.aliases.get(name, assistant.slug) != assistant.slug or (
        name in stored.assistants and name != assistant.slug
    )


def _settle_providers(draft: Draft, stored: _Stored) -> None:
    for provider in draft.providers:
        row = stored.providers.get(provider.name.lower())
        if row is not None:
            _rename_provider(draft, provider, row.name)
        values = {**key_of_settings(provider.kind, provider.base_url), **draft.environ}
        unset = _unset(provider.api_key, values)
        if unset and not (row and row.api_key):
            provider.api_key = ""
            if row is None:
                why = _why(unset, values)
                draft.steps.append(f"provider {shown(provider.name)}: give it its API key: {why}")


def _rename_provider(draft: Draft, provider: ProviderEntry, name: str) -> None:
    for assistant in draft.assistants:
        if assistant.provider == provider.name:
            assistant.provider = name
        if assistant.fallback_provider == provider.name:
            assistant.fallback_provider = name
    provider.name = name


def _settle_keys(draft: Draft, stored: _Stored) -> None:
    names = {key.name: stored.keys.get(key.name.lower(), key.name) for key in draft.api_keys}
    for key in draft.api_keys:
        key.name = names[key.name]
    for assistant in draft.assistants:
        assistant.api_keys = [names[name] for name in assistant.api_keys]


def _settle_servers(draft: Draft, stored: _Stored) -> None:
    """Has servers that lack a value wait for it, stopped. What is there is neither started nor stopped."""
    dropped: set[str] = set()
    for server in draft.servers:
        row = stored.servers.get(server.slug)
        if row is not None:
            server.is_enabled = row.is_enabled
        kept = row.env if row and not isinstance(row.env, Unreadable) else {}
        missing = _take_out_missing(server, kept, draft.environ)
        if row is None and (problem := refusal(server, draft.environ)):
            dropped.add(server.slug)
            why = f"It is not allowed here: {problem} Set what it refers to for the import, or allow it."
            draft.leave_out(f"server {server.slug}", why)
            continue
        server.is_enabled = server.is_enabled and not missing
        if missing and row is None:
            told = ", ".join(_told(name, draft.asked) for name in missing)
            draft.steps.append(f"server {server.slug}: give it {told}, and start it.")
    draft.servers = [each for each in draft.servers if each.slug not in dropped]
    for assistant in draft.assistants:
        assistant.tools = [use for use in assistant.tools if use.server not in dropped]


def _keep_credentials(draft: Draft, stored: _Stored) -> None:
    """Has servers keep what staff have given them in place of a credential that did not come over."""
    for server, _ in draft.without_credentials():
        if (row := stored.servers.get(server.slug)) is None:
            continue
        for name in ("env", "headers"):
            entered = getattr(row, name)
            if not isinstance(entered, Unreadable):
                setattr(server, name, dict.fromkeys(entered, MASK) | getattr(server, name))


def _take_out_missing(server: ServerEntry, kept: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Takes out references without a value, and returns what people have to give the server."""
    unset = [name for name, text in server.env.items() if _unset(text, environ) and not kept.get(name)]
    server.env |= dict.fromkeys(unset, "")
    env = {
        name: kept.get(name, "") if _unset(text, environ) else references.fill(text, environ)[0]
        for name, text in server.env.items()
    }
    found = find_missing(Settings(server.command, server.args, env, server.url, server.headers))
    variables = [*unset, *(each.name for each in found if each.field == "env")]
    # A text with a reference lacks a variable, which is named already.
    texts = [each for each in found if each.field != "env" and not references.are_in(_text(server, each))]
    places = [f"a value for {each.name} ({each.field})" for each in texts]
    return list(dict.fromkeys([*(f"the variable {name}" for name in variables), *places]))


def _text(server: ServerEntry, place: SecretLocation) -> str:
    return {"url": server.url, "headers": server.headers.get(place.name, "")}.get(place.field, place.name)


def _told(name: str, asked: Mapping[str, str]) -> str:
    meaning = asked.get(name.removeprefix("the variable "), "")
    return f"{name} ({meaning})" if meaning else name


def _unset(text: str, environ: Mapping[str, str]) -> str:
    """Returns the names to which a text refers and which the environment lacks."""
    return ", ".join(name for name in foreign(text) if not environ.get(name))


def _why(unset: str, values: Mapping[str, str]) -> str:
    """Returns why these names have no value."""
    ours = [name for name in secret_settings(unset.split(", ")) if name not in values]
    return f"{ours[0]} is a secret of this installation." if ours else f"{unset} was not set."


def _leave_alone(draft: Draft, stored: _Stored) -> list[str]:
    """Takes out of the draft what is there already, and returns how that differs."""
    known = replace(
        draft,
        providers=[each for each in draft.providers if each.name.lower() in stored.providers],
        servers=[each for each in draft.servers if each.slug in stored.servers],
        api_keys=[each for each in draft.api_keys if each.name.lower() in stored.keys],
        assistants=[each for each in draft.assistants if each.slug in stored.assistants],
    )
    differing = _differing(known)
    for section in ("providers", "servers", "api_keys", "assistants"):
        left = {id(each) for each in getattr(known, section)}
        setattr(draft, section, [each for each in getattr(draft, section) if id(each) not in left])
    return differing


def _differing(known: Draft) -> list[str]:
    advice = "It stays as it is: import with --update to change it."
    try:
        applied = apply(known.document(), by=BY, environ=known.environ, is_trial=True, is_import=True)
    except InvalidConfiguration:  # as one that uses what is not there yet
        return [f"{what}: There is one already. {advice}" for what in _nouns(known)]
    return [
        f"{line[2:].partition(' -> ')[0]}: There is one already, which differs. {advice}"
        for line in applied.lines
    ]


def _nouns(known: Draft) -> Iterator[str]:
    yield from (f"provider {shown(each.name)}" for each in known.providers)
    yield from (f"server {each.slug}" for each in known.servers)
    yield from (f"API key {shown(each.name)}" for each in known.api_keys)
    yield from (f"assistant {each.slug}" for each in known.assistants)
