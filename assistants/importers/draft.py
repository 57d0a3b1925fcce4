"""What a foreign file becomes: entries of a configuration, and a list of what has no place in one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.core.exceptions import ValidationError

from assistants.configuration.schema import AssistantEntry, Document, KeyEntry, ProviderEntry, ServerEntry
from assistants.validation import RESERVED_SLUGS as RESERVED_MODELS
from assistants.validation import validate_alias
from tools.names import RESERVED_SLUGS, numbered, slugify

_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of the file that did not come over. `path`: where it stands; `why`: with what to do then."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


@dataclass(slots=True)
class Draft:
    """A configuration in the making. Names and slugs in it are unique, whatever the file has.

    `environ` fills references in what is no secret, as addresses and models. `left_out`: without a place
    here; `steps`: what staff have to do about what came over. `asked`: what a variable is for, by name.
    `passed_over`: names of what says nothing here, as ids and dates. `by_path`: servers by their place in the
    file, of which long names are cut: one may be that of several. `lost_credentials`: by the same, what of
    them is a credential without a place here.
    """

    environ: Mapping[str, str] = field(repr=False)
    providers: list[ProviderEntry] = field(default_factory=list)
    servers: list[ServerEntry] = field(default_factory=list)
    api_keys: list[KeyEntry] = field(default_factory=list)
    assistants: list[AssistantEntry] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)
    by_path: dict[str, list[ServerEntry]] = field(default_factory=dict)
    lost_credentials: dict[str, list[str]] = field(default_factory=dict)
    _services: dict[tuple[Any, ...], ProviderEntry] = field(default_factory=dict)
    _slugs: set[str] = field(default_factory=lambda: set(RESERVED_SLUGS))
    _first_servers: dict[str, ServerEntry] = field(default_factory=dict)
    _by_model: dict[str, AssistantEntry] = field(default_factory=dict)
    _models: set[str] = field(default_factory=lambda: set(RESERVED_MODELS))
    _taken: dict[str, set[str]] = field(default_factory=dict)

    def leave_out(self, path: str, why: str) -> None:
        self.left_out.append(LeftOut(path, why))

    def lose_credential(self, path: str, name: str) -> None:
        self.lost_credentials.setdefault(path, []).append(name)

    def stop_without_credentials(self) -> None:
        """Has servers wait, stopped, whose credentials did not come over: they would be called without."""
        for server, names in self.without_credentials():
            server.is_enabled = False
            told = ", ".join(dict.fromkeys(names))
            step = f"server {server.slug}: give it its credential ({told}), and start it."
            self.steps += [step] if step not in self.steps else []

    def without_credentials(self) -> Iterator[tuple[ServerEntry, list[str]]]:
        """Yields servers with the credentials that did not come over."""
        for path, names in self.lost_credentials.items():
            for server in self.by_path.get(path, ()):
                yield server, names

    def add_provider(self, name: str, **fields: Any) -> ProviderEntry:
        """Adds a provider, or returns the one that is there and differs in nothing but its default model."""
        service = tuple(fields[field] for field in _SERVICE)
        if service not in self._services:
            self._services[service] = ProviderEntry(name=self._name(name, "providers"), **fields)
            self.providers.append(self._services[service])
        return self._services[service]

    def add_server(self, name: str, **fields: Any) -> ServerEntry:
        """Adds a server, or returns the one of this name that is there and differs in nothing."""
        other = self._first_servers.get(name)
        if other and ServerEntry(slug=other.slug, name=other.name, **fields) == other:
            return other
        slug = numbered(slugify(name), taken=self._slugs)
        self._slugs.add(slug)
        entry = ServerEntry(slug=slug, name=self._name(name, "servers"), **fields)
        self._first_servers.setdefault(name, entry)
        self.servers.append(entry)
        return entry

    def add_key(self, name: str, **fields: Any) -> KeyEntry:
        self.api_keys.append(KeyEntry(name=self._name(name, "api_keys"), **fields))
        return self.api_keys[-1]

    def add_assistant(self, name: str, model_name: str = "", **fields: Any) -> AssistantEntry:
        """Adds an assistant. `model_name`: what callers name it; where that is no slug it is an alias."""
        wanted = model_name or name
        slug = numbered(slugify(wanted), taken=self._models)
        entry = AssistantEntry(slug=slug, name=self._name(name, "assistants"), **fields)
        self.assistants.append(entry)
        self._by_model[slug] = entry
        if "{{" in entry.system_prompt:
            self.steps.append(f"assistant {slug}: nothing fills {{{{...}}}} in its system prompt here.")
        self._models.add(slug)
        if model_name and not self.add_alias(entry, model_name):
            self.steps.append(
                f"assistant {slug}: have callers name it {slug}: {model_name[:64]!r} cannot be a model here."
            )
        return entry

    def add_alias(self, assistant: AssistantEntry, name: str) -> bool:
        """Gives an assistant another name. Returns False where it cannot have it."""
        if name == assistant.slug or name in assistant.aliases:
            return True
        if name in self._by_model or not _is_alias(name):
            return False
        self._by_model[name] = assistant
        self._models.add(name)
        assistant.aliases = sorted([*assistant.aliases, name])
        return True

    def named(self, model_name: str) -> AssistantEntry | None:
        """Returns the assistant that callers know by this name."""
        return self._by_model.get(model_name)

    def document(self) -> Document:
        """Returns the configuration, with a section for all that the file has."""
        for assistant in self.assistants:
            assistant.api_keys = sorted(assistant.api_keys)
        sections = ("providers", "servers", "api_keys", "assistants")
        return Document(version=1, **{name: found for name in sections if (found := getattr(self, name))})

    def _name(self, name: str, section: str) -> str:
        """Returns a name that no other entry of the section has in any case of letters."""
        taken = self._taken.setdefault(section, set())
        name = name.strip()[: _LONGEST_NAME - 6].rstrip() or "unnamed"
        numbers = (f"{name} {number}" for number in count(2))
        free = name if _folded(name) not in taken else next(n for n in numbers if _folded(n) not in taken)
        taken.add(_folded(free))
        return free


_SERVICE = ("kind", "base_url", "api_key")
"""Fields by which two providers are the same."""


def _folded(name: str) -> str:
    """Returns a name as PostgreSQL compares it: `str.lower` makes two letters of one, and sees the next."""
    return "".join(letter.lower()[0] for letter in name)


def _is_alias(name: str) -> bool:
    try:
        validate_alias(name)
    except ValidationError:
        return False
    return name not in RESERVED_MODELS
