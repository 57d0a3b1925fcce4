"""What a foreign file becomes: entries of a configuration, and a list of what has no place in one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """

    environ: Mapping[str, str] = field(repr=False)
    providers: list[ProviderEntry] = field(default_factory=list)
    servers: list[ServerEntry] = field(default_factory=list)
    api_keys: list[KeyEntry] = field(default_factory=list)
    assistants: list[AssistantEntry] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)

    def leave_out(self, path: str, why: str) -> None:
        self.left_out.append(LeftOut(path, why))

    def add_provider(self, name: str, **fields: Any) -> ProviderEntry:
        """Adds a provider, or returns the one that is there and differs in nothing but its default model."""
        for each in self.providers:
            if all(getattr(each, field) == value for field, value in fields.items() if field in _SERVICE):
                return each
        self.providers.append(ProviderEntry(name=self._name(name, self.providers), **fields))
        return self.providers[-1]

    def add_server(self, name: str, **fields: Any) -> ServerEntry:
        """Adds a server, or returns the one that is there and differs in nothing."""
        for each in self.servers:
            if ServerEntry(slug=each.slug, name=name, **fields) == each:
                return each
        slug = numbered(slugify(name), taken=RESERVED_SLUGS.union(each.slug for each in self.servers))
        self.servers.append(ServerEntry(slug=slug, name=self._name(name, self.servers), **fields))
        return self.servers[-1]

    def add_key(self, name: str, **fields: Any) -> KeyEntry:
        self.api_keys.append(KeyEntry(name=self._name(name, self.api_keys), **fields))
        return self.api_keys[-1]

    def add_assistant(self, name: str, model_name: str = "", **fields: Any) -> AssistantEntry:
        """Adds an assistant. `model_name`: what callers name it; where that is no slug it is an alias."""
        wanted = model_name or name
        slug = numbered(slugify(wanted), taken=RESERVED_MODELS | self._models())
        entry = AssistantEntry(slug=slug, name=self._name(name, self.assistants), **fields)
        self.assistants.append(entry)
        if model_name and not self.add_alias(entry, model_name):
            self.steps.append(
                f"assistant {slug}: have callers name it {slug}: {model_name[:64]!r} cannot be a model here."
            )
        return entry

    def add_alias(self, assistant: AssistantEntry, name: str) -> bool:
        """Gives an assistant another name. Returns False where it cannot have it."""
        if name == assistant.slug or name in assistant.aliases:
            return True
        if name in self._models() or not _is_alias(name):
            return False
        assistant.aliases = sorted([*assistant.aliases, name])
        return True

    def named(self, model_name: str) -> AssistantEntry | None:
        """Returns the assistant that callers know by this name."""
        return next((each for each in self.assistants if model_name in {each.slug, *each.aliases}), None)

    def document(self) -> Document:
        """Returns the configuration, with a section for all that the file has."""
        sections = ("providers", "servers", "api_keys", "assistants")
        return Document(version=1, **{name: found for name in sections if (found := getattr(self, name))})

    def _models(self) -> set[str]:
        return {name for each in self.assistants for name in (each.slug, *each.aliases)}

    @staticmethod
    def _name(name: str, entries: list[Any]) -> str:
        """Returns a name that no other entry has in any case of letters."""
        taken = {each.name.lower() for each in entries}
        name = name.strip()[: _LONGEST_NAME - 5] or "unnamed"
        numbers = (f"{name} {number}" for number in range(2, len(entries) + 3))
        return name if name.lower() not in taken else next(n for n in numbers if n.lower() not in taken)


_SERVICE = ("kind", "base_url", "api_key")
"""Fields by which two providers are the same."""


def _is_alias(name: str) -> bool:
    try:
        validate_alias(name)
    except ValidationError:
        return False
    return name not in RESERVED_MODELS
