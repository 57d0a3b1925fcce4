"""Groups of people: what each may do in the console."""

from typing import Any

import django.contrib.auth.admin  # noqa: F401 - registers what is unregistered below
from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from apikeys import people
from core.actor import Actor
from core.admin.refusals import VerbForm
from core.admin.verbs import Fields, VerbAdmin

admin.site.unregister(Group)

WHAT_GROUPS_MAY = {
    "viewer": _("sees servers, assistants, keys and runs; no texts of chats, no audit log"),
    "auditor": _("sees everything, texts of chats and the audit log included; changes nothing"),
    "operator": _("a viewer who may start, stop and restart servers, call tools, and use the playground"),
    "manager": _("may do everything, people included"),
}
"""What the groups that come with the product may do, as long as nobody edits them."""


VERBS = {"add": _("add"), "change": _("change"), "delete": _("delete"), "view": _("view")}
"""What Django's own permissions are for. Names of permissions are stored in English."""


class PermissionsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, permission: Any) -> str:
        verb, _of, model = permission.codename.partition("_")
        own = verb not in VERBS or model != permission.content_type.model
        return f"{permission.content_type.name}: {gettext(permission.name) if own else VERBS[verb]}"


def _ours() -> QuerySet[Permission]:
    """Returns the permissions that mean something in the console."""
    people_and_groups = Q(content_type__app_label="auth", content_type__model__in=("user", "group"))
    apps = Q(content_type__app_label__in=("tools", "connector", "assistants", "apikeys"))
    ordered = Permission.objects.order_by("content_type__app_label", "content_type__model", "codename")
    return ordered.filter(apps | people_and_groups).select_related("content_type")


class GroupForm(VerbForm[Group]):
    permissions = PermissionsField(
        Permission.objects.none(),
        required=False,
        label=_("Permissions"),
        help_text=_("What members may do. You can give what you have yourself."),
    )

    class Meta:
        model = Group
        fields = ["name", "permissions"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "permissions" in self.fields:
            self.fields["permissions"].queryset = _ours()  # type: ignore[attr-defined]


@admin.register(Group)
class GroupAdmin(VerbAdmin[Group]):
    form = GroupForm
    list_display = ["name", "what", "members"]
    search_fields = ["name"]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(member_count=Count("user"))

    def perform_create(self, request: HttpRequest, fields: Fields) -> Group:
        return people.save_group(
            Group(name=fields["name"]), by=Actor.of(request), permissions=fields["permissions"]
        )

    def perform_update(self, request: HttpRequest, row: Group, changes: Fields) -> object:
        return people.save_group(row, by=Actor.of(request), permissions=changes.get("permissions"))

    def perform_destroy(self, request: HttpRequest, row: Group) -> None:
        people.delete_group(row, by=Actor.of(request))

    @admin.display(description=_("May"))
    def what(self, group: Group) -> Any:
        return WHAT_GROUPS_MAY.get(group.name, "")

    @admin.display(description=_("Members"), ordering="member_count")
    def members(self, group: Any) -> int:
        return int(group.member_count)
