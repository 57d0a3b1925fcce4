"""The tabs of an assistant's page. Each is a page of its own, so that none waits for another."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from assistants.models import Assistant

_TABS = (
    ("general", _("General"), "assistants_assistant_change", ""),
    ("tools", _("Tools"), "assistant_tools", ""),
    ("access", _("Access"), "assistant_access", ""),
    ("cost", _("Context cost"), "assistant_cost", ""),
    ("playground", _("Playground"), "assistant_playground", "assistants.chat_assistant"),
    ("connect", _("Connect"), "assistant_connect", ""),
)
"""Name, title, route, and the permission without which it is not there."""


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    title: Any
    url: str
    is_active: bool


def tabs_of(assistant: Assistant, user: Any, active: str) -> list[Tab]:
    """Returns the tabs of the assistant's page that the user may open."""
    return [
        Tab(name, title, reverse(f"admin:{route}", args=[assistant.pk]), name == active)
        for name, title, route, permission in _TABS
        if not permission or user.has_perm(permission)
    ]
