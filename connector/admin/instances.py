"""The console's pages of instances."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from connector.models import Instance
from connector.states import FAILED, SERVING, Phase
from core.admin.pages import ReadOnlyAdmin
from core.admin.pills import Tone, pill
from core.admin.times import time_tag


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin[Instance]):
    """Which worker runs which copy of a server. Read only: instances follow from servers."""

    when_empty = _("Each copy of a server that runs is listed here.")
    list_display = ["server", "copy", "state", "worker", "pid", "restarts", "checked"]
    list_filter = ["phase", "worker"]
    list_select_related = ["server", "worker"]

    def get_exclude(self, request: HttpRequest, obj: Instance | None = None) -> list[str]:
        """Leaves out what has not happened, which would be shown as "null"."""
        return [name for name in ("last_exit", "error") if getattr(obj, name, None) is None]

    @admin.display(description=_("Copy"), ordering="slot")
    def copy(self, instance: Instance) -> int:
        return instance.slot + 1

    @admin.display(description=_("State"), ordering="phase")
    def state(self, instance: Instance) -> str:
        return pill(instance.get_phase_display(), *look_of(instance))

    @admin.display(description=_("Last check"), ordering="checked_at")
    def checked(self, instance: Instance) -> str:
        return time_tag(instance.checked_at)


def look_of(instance: Instance) -> tuple[str, Tone]:
    """Returns the icon and the tone of an instance's state."""
    if instance.phase in SERVING:
        return ("check_circle", "success") if instance.phase == Phase.READY else ("warning", "warning")
    if instance.phase in FAILED:
        return "error", "danger"
    return ("stop_circle", "neutral") if instance.phase == Phase.RELEASED else ("hourglass_top", "info")
