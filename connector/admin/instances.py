from django.contrib import admin
from django.http import HttpRequest

from connector.models import Instance


@admin.register(Instance)
class InstanceAdmin(admin.ModelAdmin[Instance]):
    """What runs where. Read only: an instance follows from its server."""

    list_display = ["server", "slot", "phase", "worker", "pid", "restarts", "checked_at"]
    list_filter = ["phase", "worker"]
    list_select_related = ["server", "worker"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Instance | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Instance | None = None) -> bool:
        return False
