"""The buttons of the inbox that change something: each goes by the verb that the API uses, too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apikeys import actions as key_actions
from apikeys.models import ApiKey
from core.actor import Actor
from core.errors import InvalidRequest
from tools import actions as server_actions
from tools.models import MCPTool

LONGEST_DAYS = 3_650
_LONGEST_NUMBER = 18
"""Digits: a longer one is none that the database could hold."""


@dataclass(frozen=True, slots=True)
class Change:
    """Who may do it, and what does: given the actor, the row's id and the number beside the button."""

    permission: str
    perform: Callable[[Actor, int, str], str]


def perform(request: HttpRequest, name: str, pk: int) -> str:
    """Does what the button says, and returns what to tell. Raises PermissionDenied, and what verbs raise."""
    change = _CHANGES.get(name)
    if change is None:
        raise Http404
    if not request.user.has_perm(change.permission):
        raise PermissionDenied
    return change.perform(Actor.of(request), pk, request.POST.get("number", ""))


def _restart(by: Actor, pk: int, _number_: str) -> str:
    server = get_object_or_404(MCPTool.objects.present(), pk=pk)
    server_actions.restart(server, by=by)
    return _("%(name)s is being restarted.") % {"name": server.name}


def _extend(by: Actor, pk: int, number: str) -> str:
    key = _key(pk)
    days = _number(number, most=LONGEST_DAYS)
    if key.expires_at is None:
        raise InvalidRequest(_("This key does not expire."), code="does_not_expire")
    key_actions.update(key, by=by, expires_at=key.expires_at + timedelta(days=days))
    told = ngettext("%(name)s works for %(days)d more day.", "%(name)s works for %(days)d more days.", days)
    return told % {"name": key.name, "days": days}


def _raise(by: Actor, pk: int, number: str) -> str:
    key = _key(pk)
    key_actions.update(key, by=by, tokens_per_month=_number(number))
    return _("The budget of %(name)s is changed.") % {"name": key.name}


def _key(pk: int) -> ApiKey:
    return get_object_or_404(ApiKey, pk=pk)


def _number(text: str, *, most: int | None = None) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER and int(text) > 0
    if not is_number or (most is not None and int(text) > most):
        limit = _(" of at most %(most)s") % {"most": most} if most else ""
        raise InvalidRequest(_("Give a whole number%(limit)s.") % {"limit": limit}, code="invalid_number")
    return int(text)


_CHANGES: dict[str, Change] = {
    "restart": Change("tools.operate_mcptool", _restart),
    "extend": Change("apikeys.change_apikey", _extend),
    "raise": Change("apikeys.change_apikey", _raise),
}
