"""The console's pages of instances."""

from django.contrib import admin

from connector.models import Instance
from core.admin.pages import ReadOnlyAdmin


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin[Instance]):
    """Which worker runs which copy of a server. Read only: instances follow from servers."""

    list_display = ["server", "slot", "phase", "worker", "pid", "restarts", "checked_at"]
    list_filter = ["phase", "worker"]
    list_select_related = ["server", "worker"]
