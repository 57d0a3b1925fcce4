"""The page of a server's instances: who runs each copy, since when, and what it writes on standard error."""

from typing import Any

from connector.admin.instances import look_of
from connector.admin.server_page import ServerPage
from connector.models import Instance


class ServerInstances(ServerPage):
    permission_required = "connector.view_instance"
    template_name = "admin/connector/server/instances.html"
    fragment = "admin/connector/server/instances_live.html"
    tab = "instances"

    def live_context(self) -> dict[str, Any]:
        rows = Instance.objects.filter(server=self.server).select_related("worker").order_by("slot")
        shown = [{"row": row, "icon": look_of(row)[0], "tone": look_of(row)[1]} for row in rows]
        return {"server": self.server, "instances": shown}
