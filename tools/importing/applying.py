"""Registers the servers of an MCP client's file: each by itself, so that a bad one keeps no other out."""

import base64
import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from core.actor import Actor
from core.errors import Conflict
from tools import actions, connection_settings, references
from tools.importing.clients import Document
from tools.importing.entries import Entry, read_entry
from tools.models import ConnectionType, MCPTool
from tools.secrets import extraction
from tools.secrets.extraction import SecretLocation, Settings
from tools.secrets.masking import MASK

_TYPES = {
    "stdio": ConnectionType.STDIO,
    "local": ConnectionType.STDIO,
    "sse": ConnectionType.SSE,
    "http": ConnectionType.STREAMABLE_HTTP,
    "remote": ConnectionType.STREAMABLE_HTTP,
    "streamable-http": ConnectionType.STREAMABLE_HTTP,
    "streamable_http": ConnectionType.STREAMABLE_HTTP,
    "streamablehttp": ConnectionType.STREAMABLE_HTTP,
}
_AMBIGUOUS = re.compile(r"[\s\\]")


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one server. `mcp_tool`: its row, None where it was refused.

    `secrets`: found, and stored encrypted; `missing`: needed before it can run. `errors`: messages by field.
    """

    name: str
    status: Outcome
    mcp_tool: MCPTool | None = None
    secrets: list[SecretLocation] = field(default_factory=list)
    missing: list[SecretLocation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_refused(self) -> bool:
        return self.status in {Outcome.CONFLICT, Outcome.REFUSED}


def apply(document: Document, *, by: Actor, update: bool = False) -> list[Imported]:
    """Registers each server, and returns what became of it.

    A server whose name is registered is left alone where nothing differs. Else it is changed with `update`,
    and without it a conflict. A placeholder keeps the value that is stored in its place.
    """
    return [_apply_one(name, written, document, by, update) for name, written in document.servers.items()]


def preview(document: Document, *, by: Actor, update: bool = False) -> list[Imported]:
    """Returns what `apply` would return now, and writes nothing. The rows have no id."""
    with transaction.atomic():
        imported = apply(document, by=by, update=update)
        transaction.set_rollback(True)
    for each in imported:
        if each.status == Outcome.CREATED and each.mcp_tool:
            each.mcp_tool.pk = None
    return imported


def _apply_one(name: str, written: Any, document: Document, by: Actor, update: bool) -> Imported:
    try:
        entry = read_entry(written)
        with transaction.atomic():
            return _registered(name, entry, document, by, update)
    except ValidationError as error:
        return Imported(name, Outcome.REFUSED, errors=error.message_dict)
    except Conflict as conflict:
        return Imported(name, Outcome.CONFLICT, errors={conflict.field or "name": [str(conflict.detail)]})
    except IntegrityError:
        message = gettext("Somebody else registered it at the same moment. Try again.")
        return Imported(name, Outcome.CONFLICT, errors={"name": [message]})


def _registered(name: str, entry: Entry, document: Document, by: Actor, update: bool) -> Imported:
    settings, extracted = settings_of(entry)
    values = {"connection_type": connection_type_of(entry), **asdict(settings)}
    if entry.asks_back is not None:
        values["asks_back"] = entry.asks_back
    name = _stored_name(name)
    server = MCPTool.objects.present().without_vectors().filter(name__iexact=name).first()
    if server is None:
        missing = extraction.find_missing(settings)
        values["is_enabled"] = not (entry.disabled or missing or entry.lost_credentials)
        server = actions.register(by=by, name=name, takes_masks=True, **values)
        status = Outcome.CREATED
    else:
        values = _kept(values, settings, server, entry)
        status, server = _changed(server, values, entry, by, update)
        settings = _stored(server)
        missing = extraction.find_missing(settings)
    secrets = extracted + extraction.find_secrets(settings)
    return Imported(name, status, server, secrets, missing, _warnings(settings, missing, entry, document))


def _stored_name(name: str) -> str:
    """Returns a name as it is stored, by which it is found. Raises ValidationError for what cannot be one."""
    try:
        stored: str = MCPTool._meta.get_field("name").clean(name, None)
    except ValidationError as error:
        raise ValidationError({"name": error}) from error
    return stored


def _changed(
    server: MCPTool, values: dict[str, Any], entry: Entry, by: Actor, update: bool
) -> tuple[Outcome, MCPTool]:
    wanted = copy.copy(server)
    connection_settings.apply(wanted, values)
    if entry.disabled is not None:
        wanted.is_enabled = not entry.disabled
    # A server that now lacks something would only fail.
    if extraction.find_missing(_stored(wanted)):
        wanted.is_enabled = False
    names = [*values, "is_enabled"]
    differing = [name for name in names if getattr(wanted, name) != getattr(server, name)]
    if not differing:
        return Outcome.UNCHANGED, server
    if not update:
        message = gettext(
            "A server of this name is registered, with other settings: %(names)s. "
            "Rename one, or have the import update it."
        )
        raise Conflict(message % {"names": ", ".join(differing)}, "already_taken")
    values |= {"is_enabled": wanted.is_enabled}
    return Outcome.UPDATED, actions.update(server, by=by, **{name: values[name] for name in differing})


def _kept(values: dict[str, Any], settings: Settings, server: MCPTool, entry: Entry) -> dict[str, Any]:
    """Returns the settings, with a mask for each placeholder in whose place a value is stored.

    Where a credential of the file has no place here, so stays whatever was given in its place.
    """
    missing = {(each.field, each.name) for each in extraction.find_missing(settings)}
    kept = {}
    for each in ("env", "headers"):
        stored = getattr(server, each)
        kept[each] = (dict.fromkeys(stored, MASK) if entry.lost_credentials else {}) | {
            name: MASK if (each, name) in missing and stored.get(name) else value
            for name, value in values[each].items()
        }
    return values | kept


def _stored(server: MCPTool) -> Settings:
    return Settings(server.command, server.args, server.env, server.url, server.headers)


def settings_of(entry: Entry) -> tuple[Settings, list[SecretLocation]]:
    """Returns an entry's settings, and the location of credentials that were moved out of its URL.

    They become a header, as HTTP clients would send them (RFC 7617).
    """
    url, headers = entry.url, entry.headers
    user, at = _credentials(url)
    if at:
        url = url.replace(f"{user}@", "", 1)
        credentials = base64.b64encode(unquote(user).encode()).decode()
        headers = {"Authorization": f"Basic {credentials}"} | headers
    extracted = [SecretLocation("url", "credentials")] if at else []
    return Settings(entry.command, entry.args, _with_defaults(entry.env), url, headers), extracted


def _credentials(url: str) -> tuple[str, str]:
    """Returns the part of a URL before its `@`, and the `@`; both empty without credentials."""
    if _AMBIGUOUS.search(url):  # which is refused when the server is registered
        return "", ""
    try:
        user, at, _ = urlsplit(url).netloc.rpartition("@") if url.startswith("http") else ("", "", "")
    except ValueError:  # malformed, which is refused when the server is registered
        return "", ""
    return user, at


def _with_defaults(env: Mapping[str, str]) -> dict[str, str]:
    """Returns variables with what other variables and defaults say in place of references to these.

    A launch fills what refers to variables, and not the variables themselves.
    """
    plain = {name: value for name, value in env.items() if value and not references.are_in(value)}
    return {name: references.fill(value, plain)[0] for name, value in env.items()}


def connection_type_of(entry: Entry) -> str:
    """Returns the entry's type; else a command means stdio, and a URL ending in /sse the older transport."""
    if entry.type:
        kind = _TYPES.get(entry.type.lower())
        if kind is None:
            message = gettext("There is no transport %(name)s.") % {"name": repr(entry.type[:32])}
            raise ValidationError({"type": message})
        return kind
    if not entry.url:
        return ConnectionType.STDIO
    is_older = entry.url.partition("?")[0].rstrip("/").endswith("/sse")
    return ConnectionType.SSE if is_older else ConnectionType.STREAMABLE_HTTP


def _warnings(
    settings: Settings, missing: list[SecretLocation], entry: Entry, document: Document
) -> list[str]:
    warnings = [*_asked(settings, missing, document), *extraction.find_warnings(settings)]
    if entry.ignored:
        warnings.append(gettext("Ignored: %(names)s.") % {"names": ", ".join(entry.ignored)[:1000]})
    return warnings


def _asked(settings: Settings, missing: list[SecretLocation], document: Document) -> Iterator[str]:
    """Yields what to give instead of the references that only the client knows."""
    texts = {
        ("url", "url"): settings.url,
        **{("env", name): value for name, value in settings.env.items()},
        **{("headers", name): value for name, value in settings.headers.items()},
        **{("args", arg): arg for arg in settings.args},
    }
    for each in missing:
        where = each.field if each.field in {"args", "url"} else f"{each.field}: {each.name}"
        for reference in references.fill(texts.get((each.field, each.name), ""), settings.env)[1]:
            prompt = document.prompts.get(reference.removeprefix("input:"), "")
            meaning = f", {prompt}" if prompt and reference.startswith("input:") else ""
            if references.is_clients(reference):
                yield gettext(
                    "Only the client knows %(reference)s: give a value in its place (%(where)s)."
                ) % {
                    "reference": f"${{{reference}}}{meaning}",
                    "where": where,
                }
