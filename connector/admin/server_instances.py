"""The page of a server's instances: who runs each copy, since when, and what it writes on standard error."""

from typing import Any

from connector.admin.server_page import ServerPage
from connector.models import Instance
from connector.states import FAILED, SERVING, Phase
from core.admin.pills import Tone


class ServerInstances(ServerPage):
    permission_required = "connector.view_instance"
    template_name = "admin/connector/server/instances.html"
    fragment = "admin/connector/server/instances_live.html"
    tab = "instances"

    def live_context(self) -> dict[str, Any]:
        rows = Instance.objects.filter(server=self.server).select_related("worker").order_by("slot")
        shown = [{"row": row, "icon": _look(row)[0], "tone": _look(row)[1]} for row in rows]
        return {"server": self.server, "instances": shown}


def _look(instance: Instance) -> tuple[str, Tone]:
    if instance.phase in SERVING:
        return ("check_circle", "success") if instance.phase == Phase.READY else ("warning", "warning")
    if instance.phase in FAILED:
        return "error", "danger"
    return ("stop_circle", "neutral") if instance.phase == Phase.RELEASED else ("hourglass_top", "info")
