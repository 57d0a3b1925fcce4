"""Applies a configuration in one transaction, by the verbs of the console and the API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, connection, transaction
from pydantic import BaseModel
from rest_framework.exceptions import APIException

from assistants import actions
from assistants.configuration import difference
from assistants.configuration.caller_kinds import Assistants, Keys
from assistants.configuration.kinds import Fields, Kind
from assistants.configuration.reading import InvalidConfiguration, identity, refuse
from assistants.configuration.rule_kind import Rules
from assistants.configuration.rule_order import put_in_order
from assistants.configuration.schema import AssistantEntry, Document
from assistants.configuration.secret_references import Filling
from assistants.configuration.server_kind import Servers
from assistants.configuration.service_kinds import Providers, Webhooks
from assistants.configuration.tool_settings import ToolSettings
from assistants.models import Alias, Assistant
from core.actor import Actor
from core.errors import Conflict
from core.printable import shown

KINDS: tuple[type[Kind[Any]], ...] = (Providers, Servers, Keys, Assistants, Webhooks, Rules)
"""In the order in which they are applied: each refers to those before it alone."""
_OF_VERB = {"conditions": "when", "effect": "then"}


@dataclass(slots=True)
class Applied:
    """`lines`: the difference that there was. `steps`: what staff have to do."""

    lines: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


def apply(
    document: Document,
    *,
    by: Actor,
    environ: Mapping[str, str],
    prune: bool = False,
    is_trial: bool = False,
    is_import: bool = False,
) -> Applied:
    """Makes what is stored equal to the document. Raises InvalidConfiguration, and changes nothing then.

    `prune`: deletes what is not in a section of the document. `is_trial`: changes nothing at all.
    `is_import`: see `Filling`.
    """
    try:
        with transaction.atomic():
            _wait_for_others()
            applied = _Application(document, by, environ, is_import=is_import).apply(prune=prune)
            transaction.set_rollback(is_trial)
    except (IntegrityError, ObjectDoesNotExist) as error:
        raise InvalidConfiguration(
            "Somebody else changed something at the same moment. Try again."
        ) from error
    return applied


def _wait_for_others() -> None:
    """Waits until no other application goes on: two of one file would add everything twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('assistants.configuration'))")


class _Application:
    def __init__(self, document: Document, by: Actor, environ: Mapping[str, str], *, is_import: bool) -> None:
        self._document = document
        self._by = by
        self._environ = environ
        self._is_import = is_import
        self._applied = Applied()

    def apply(self, *, prune: bool) -> Applied:
        # Before anything is changed: all that is missing is told at once.
        refuse(problem for of_kind in KINDS if of_kind.secrets for problem in self._missing(of_kind))
        if prune:
            self._prune(_UNUSED_BY_OTHERS)
        for of_kind in KINDS:
            if (entries := self._entries(of_kind)) is not None:
                self._apply_section(of_kind, entries)
        rules = [entry.name for entry in self._document.rules or ()]
        with _at("rules"):
            self._applied.lines += put_in_order(rules, by=self._by)
        if prune:
            self._prune(_USED_BY_OTHERS)
        return self._applied

    def _entries(self, of_kind: type[Kind[Any]]) -> list[Any] | None:
        entries: list[Any] | None = getattr(self._document, of_kind.section)
        return entries

    def _missing(self, of_kind: type[Kind[Any]]) -> Iterator[str]:
        """Yields which values of a section can be filled from nothing, with their places."""
        entries = self._entries(of_kind)
        kind = of_kind()
        rows = _by_name(kind) if entries else {}
        for at, entry in enumerate(entries or ()):
            filling = Filling(self._environ, is_import=self._is_import)
            self._filled(kind, entry, rows.get(_name(kind, entry).lower()), filling)
            yield from (f"{_place(kind, at, entry)}: {problem}" for problem in filling.problems)

    def _filled(self, kind: Kind[Any], entry: BaseModel, row: Any, filling: Filling) -> tuple[Fields, Fields]:
        """Returns what is stored of an entry, and its fields with their references filled."""
        stored = kind.shown(row) if row else {}
        return stored, kind.filled(entry.model_dump(exclude=_LATER.get(kind.section)), stored, filling)

    def _apply_section(self, of_kind: type[Kind[Any]], entries: list[Any]) -> None:
        kind = of_kind()
        rows = _by_name(kind)
        if of_kind is Assistants:
            with _at("assistants"):
                _free_aliases(entries, by=self._by)
        for at, entry in enumerate(entries):
            with _at(_place(kind, at, entry)):
                self._apply_entry(kind, entry, rows.pop(_name(kind, entry).lower(), None))
        if of_kind is Servers:
            self._apply_tools(entries)

    def _apply_entry(self, kind: Kind[Any], entry: BaseModel, row: Any) -> None:
        filling = Filling(self._environ, is_import=self._is_import)
        stored, fields = self._filled(kind, entry, row, filling)
        filling.require_whole()
        what = f"{kind.noun} {shown(_name(kind, entry))}"
        if row is None:
            kind.add(fields, self._by)
            self._applied.lines.append(f"+ {what}")
            self._applied.steps += [f"{what}: {kind.step}"] if kind.step else []
        elif changed := {each for each in fields if fields[each] != stored[each]}:
            self._applied.lines += difference.lines(what, stored, fields, secret=kind.secrets)
            kind.change(row, fields, changed, filling, self._by)

    def _apply_tools(self, entries: list[Any]) -> None:
        settings = ToolSettings(self._by)
        for at, entry in enumerate(entries):
            with _at(f"servers[{at}] ({shown(entry.slug)}).tools"):
                settings.apply(entry)
        self._applied.lines += settings.lines
        self._applied.steps += settings.steps

    def _prune(self, kinds: tuple[type[Kind[Any]], ...]) -> None:
        for of_kind in kinds:
            if (entries := self._entries(of_kind)) is not None:
                kind = of_kind()
                self._remove_others(kind, {_name(kind, entry).lower() for entry in entries})

    def _remove_others(self, kind: Kind[Any], kept: set[str]) -> None:
        for name, row in _by_name(kind).items():
            if name not in kept:
                what = f"{kind.noun} {shown(_name(kind, row))}"
                with _at(f"{what} cannot be deleted"):
                    _remove(kind, row, self._by)
                self._applied.lines.append(f"- {what}")


def _name(kind: Kind[Any], each: Any) -> str:
    """Returns by what an entry, or a row, is found."""
    name: str = getattr(each, identity(kind.section))
    return name


def _by_name(kind: Kind[Any]) -> dict[str, Any]:
    """Returns the rows of a kind. Names differ by more than their case."""
    return {_name(kind, row).lower(): row for row in kind.rows()}


def _place(kind: Kind[Any], at: int, entry: BaseModel) -> str:
    return f"{kind.section}[{at}] ({shown(_name(kind, entry))})"


def _remove(kind: Kind[Any], row: Any, by: Actor) -> None:
    try:
        kind.remove(row, by)
    except Conflict as error:
        if error.get_codes() != "in_use":
            raise
        using = ", ".join(each["slug"] for each in error.details["assistants"])
        raise InvalidConfiguration(
            f"Assistants use it that the file does not describe: {using}. Take it from them, or add them."
        ) from error


_UNUSED_BY_OTHERS = (Rules, Webhooks, Assistants, Keys)
"""Deleted first: what takes the place of one may have its name."""
_USED_BY_OTHERS = (Servers, Providers)
"""Deleted last, when no assistant of the document uses them any more."""
_LATER = {"servers": {"tools"}}
"""Fields that are not the entry's own."""


def _free_aliases(entries: list[AssistantEntry], *, by: Actor) -> None:
    """Takes aliases from assistants where another entry is to have the name: they may be exchanged."""
    owners = {name: entry.slug for entry in entries for name in (entry.slug, *entry.aliases)}
    kept = {entry.slug: set(entry.aliases) for entry in entries}
    moving = Alias.objects.filter(name__in=owners, assistant__slug__in=kept).select_related("assistant")
    losing = {alias.assistant_id for alias in moving if owners[alias.name] != alias.assistant.slug}
    for assistant in Assistant.objects.filter(pk__in=losing).order_by("pk"):
        actions.update(assistant, by=by, aliases=kept[assistant.slug].intersection(assistant.aliases))


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Says at which entry it was what a verb refuses."""
    try:
        yield
    except InvalidConfiguration as error:
        problems = str(error).split("\n")
        raise InvalidConfiguration("\n".join(f"{where}: {each}" for each in problems)) from error
    except ValidationError as error:
        raise InvalidConfiguration("\n".join(f"{where}: {each}" for each in _messages(error))) from error
    except APIException as error:
        raise InvalidConfiguration(f"{where}: {error.detail}") from error


def _messages(error: ValidationError) -> Iterator[str]:
    by_field = error.message_dict if hasattr(error, "error_dict") else {"entry": error.messages}
    for name, messages in by_field.items():
        first, dot, rest = name.partition(".")
        yield f"{_OF_VERB.get(first, first)}{dot}{rest}: {' '.join(messages)}"
