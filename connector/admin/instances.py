from django.contrib import admin

from connector.models import Instance
from core.admin import ReadOnlyAdmin


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin[Instance]):
    """What runs where. Read only: an instance follows from its server."""

    list_display = ["server", "slot", "phase", "worker", "pid", "restarts", "checked_at"]
    list_filter = ["phase", "worker"]
    list_select_related = ["server", "worker"]
