"""A server of another product, in the words of MCP clients, becomes an entry."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError

from assistants.configuration import InvalidConfiguration
from assistants.configuration.schema import ServerEntry, ToolEntry
from assistants.importers.draft import Draft
from assistants.importers.source import NO_PLACE, Source
from assistants.importers.variables import Owned, owned
from core.printable import shown
from tools import importing, references
from tools.choices import ConnectionType
from tools.secrets.extraction import Settings
from tools.secrets.masking import MASK
from tools.validation import LONGEST_DESCRIPTION, setting_errors

LOG_IN = "Log in to it again on its page in the console."
_GIVE_IT = "Give the server a header or a variable with it, on its page."
TRUST = "Who may call without being asked is said by rules: see docs/approvals.md."
REASONS = {
    "envFile": "Enter the variables of that file on the server's page.",
    "cwd": "Servers are started in a directory of their own: give whole paths in its arguments.",
    "oauth": LOG_IN,
    "auth": LOG_IN,
    "autoApprove": TRUST,
    "alwaysAllow": TRUST,
}
"""Why settings of MCP clients have no place, and what to do then."""


def is_off(part: Source) -> bool:
    """Whether any switch of a thing is off, by whatever name: nothing is on here that was off there."""
    is_on = [part.flag(name, default=True) for name in importing.ON]
    is_disabled = [part.flag(name) for name in importing.OFF]
    return not all(is_on) or any(is_disabled)


def add_server(
    draft: Draft,
    name: str,
    written: Mapping[str, Any],
    path: str,
    *,
    prompts: Mapping[str, str] | None = None,
    tools: Mapping[str, ToolEntry] | None = None,
    description: str = "",
    asks_back: bool = False,
    call_timeout_s: float | None = None,
    start_timeout_s: float | None = None,
) -> ServerEntry | None:
    """Adds a server that was `written` as MCP clients do.

    Returns None where this installation does not allow it, or speaks no such transport; it is listed then.
    Raises InvalidConfiguration.
    """
    try:
        entry = importing.read_entry(written)
        settings, _ = importing.settings_of(entry)
    except ValidationError as error:
        raise InvalidConfiguration(_said(path, error)) from error
    try:
        connection_type = importing.connection_type_of(entry)
    except ValidationError as error:
        draft.leave_out(path, f"{' '.join(error.messages)} Servers are spoken to by stdio, HTTP or SSE.")
        return None
    _list_ignored(draft, path, entry)
    found = owned(_without_masks(settings), prompts or {})
    settings = found.settings
    if problem := _problem(settings, connection_type):
        draft.leave_out(path, f"It is not allowed here: {problem} Change that, and import the file again.")
        return None
    _note(draft, path, found)
    if len(description) > LONGEST_DESCRIPTION:
        draft.leave_out(f"{path}.description", f"All beyond {LONGEST_DESCRIPTION:,} characters.")
    limits = {"call_timeout_s": call_timeout_s, "start_timeout_s": start_timeout_s}
    added = draft.add_server(
        name,
        description=description[:LONGEST_DESCRIPTION],
        connection_type=str(connection_type),
        command=settings.command,
        args=list(settings.args),
        env=dict(settings.env),
        url=settings.url,
        headers=dict(settings.headers),
        asks_back=bool(entry.asks_back) or asks_back,
        is_enabled=not entry.disabled,
        tools=dict(tools or {}),
        **{name: limit for name, limit in limits.items() if limit is not None},
    )
    draft.by_path.setdefault(path, []).append(added)
    return added


def _list_ignored(draft: Draft, path: str, entry: importing.Entry) -> None:
    for ignored in entry.ignored:
        why = REASONS.get(ignored, _GIVE_IT if ignored in entry.lost_credentials else NO_PLACE)
        draft.leave_out(f"{path}.{ignored[:64]}", why)
    for credential in entry.lost_credentials:
        draft.lose_credential(path, shown(credential))


def _note(draft: Draft, path: str, found: Owned) -> None:
    """Says which variables have a value of their own now, and which somebody must be asked for."""
    for variable in dict.fromkeys(found.defaults):
        draft.leave_out(
            path,
            f"The default of {variable} holds: give the server a variable {variable} for another value.",
        )
    draft.asked |= found.asked


def seconds(milliseconds: float | None, most: float) -> float | None:
    """Returns a time-out as this product takes it: from 1 second to `most`; None where there is none."""
    return None if milliseconds is None else min(max(milliseconds / 1000, 1), most)


def refusal(server: ServerEntry, environ: Mapping[str, str]) -> str:
    """Returns why this installation refuses a server, "" if it does not."""
    settings = Settings(server.command, server.args, server.env, server.url, server.headers)
    return _problem(settings, server.connection_type, environ)


def _problem(settings: Settings, connection_type: str, environ: Mapping[str, str] | None = None) -> str:
    """Returns why this installation refuses the settings. Without `environ` an address may lack a part."""
    env = {name: references.fill(value, environ or {})[0] for name, value in settings.env.items()}
    unknown = [
        name
        for name in references.names(settings.url)
        if environ is None and references.are_in(env.get(name, ""))
    ]
    known = {name: value for name, value in env.items() if name not in unknown}
    errors = setting_errors(
        is_local=connection_type == ConnectionType.STDIO,
        command=settings.command,
        args=list(settings.args),
        env=known,
        url=settings.url,
        headers=dict(settings.headers),
    )
    return " ".join(" ".join(ValidationError(each).messages) for each in errors.values())


def _without_masks(settings: Settings) -> Settings:
    """Returns settings without what other products show in place of secrets: people give these anew."""
    env = {name: "" if MASK in value else value for name, value in settings.env.items()}
    headers = {name: "" if MASK in value else value for name, value in settings.headers.items()}
    return replace(settings, env=env, headers=headers)


def _said(path: str, error: ValidationError) -> str:
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    return "\n".join(
        f"{path}{'.' if name else ''}{name}: {' '.join(each)}" for name, each in by_field.items()
    )
