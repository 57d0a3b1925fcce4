"""The audit log in the console."""

from django.contrib import admin

from apikeys.models import AuditEntry
from core.admin.pages import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    """The audit log is read-only, for superusers too."""

    list_display = ["at", "actor_name", "action", "object_kind", "object_name", "address"]
    list_filter = ["object_kind", "action", "actor_kind"]
    search_fields = ["actor_name", "object_name", "request_id"]
    date_hierarchy = "at"
