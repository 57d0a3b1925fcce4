"""People who may log in to the console."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminPasswordWidget

from apikeys import people
from apikeys.admin.groups import WHAT_GROUPS_MAY
from core.actor import Actor
from core.admin.pills import pill
from core.admin.refusals import VerbForm, refusals_in
from core.admin.times import time_tag
from core.admin.verbs import Fields, VerbAdmin

admin.site.unregister(User)


class GroupsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Groups to tick, each with what it may do."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, group: Any) -> str:
        what = WHAT_GROUPS_MAY.get(group.name)
        return f"{group.name}: {what}" if what else str(group.name)


class PersonForm(VerbForm[User]):
    groups = GroupsField(
        Group.objects.order_by("name"),
        required=False,
        label=_("Groups"),
        help_text=_("Who is in several may do what any of them may. Who is in none sees nothing."),
    )

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email", "groups", "is_active", "is_superuser"]
        help_texts = {
            "is_active": _("Whoever is not is logged out at once, and cannot log in."),
            "is_superuser": _("May do everything, whatever the groups are. Only superusers give this."),
        }


class NewPersonForm(PersonForm):
    password = forms.CharField(
        required=False,
        strip=False,
        label=_("First password"),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Tell it to them in person. Empty: they cannot log in until a password is set."),
    )
    password_again = forms.CharField(
        required=False,
        strip=False,
        label=_("First password once more"),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("password") != cleaned.pop("password_again", None):
            self.add_error("password_again", _("The two passwords differ."))
        return cleaned


@admin.register(User)
class UserAdmin(VerbAdmin[User], DjangoUserAdmin):  # type: ignore[type-arg]
    form = PersonForm
    add_form: Any = NewPersonForm
    add_form_template = "admin/change_form.html"
    change_password_form: Any = AdminPasswordChangeForm
    list_display = ["username", "full_name", "shown_groups", "state", "seen"]
    list_filter = ["groups", "is_active", "is_superuser"]
    search_fields = ["username", "first_name", "last_name", "email"]
    ordering = ["username"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    actions = ["disable"]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        rank = ["is_superuser"] if request.user.is_superuser else []
        if obj is None:
            first = {"fields": ["username", "password", "password_again", "groups", *rank]}
            return [(None, first), (_("Optional"), {"fields": ["first_name", "last_name", "email"]})]
        return [
            (None, {"fields": ["username", "first_name", "last_name", "email"]}),
            (_("What they may do"), {"fields": ["groups", "is_active", *rank]}),
            (_("When"), {"fields": ["last_login", "date_joined"]}),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._outranks(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._outranks(request, obj)

    def _outranks(self, request: HttpRequest, obj: Any) -> bool:
        return not isinstance(obj, User) or people.may_change(obj, by=Actor.of(request))

    def perform_create(self, request: HttpRequest, fields: Fields) -> User:
        return people.create(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: User, changes: Fields) -> object:
        return people.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: User) -> None:
        people.delete(row, by=Actor.of(request))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Sets the password of somebody, which logs them out."""
        person = self.get_object(request, id)
        if person is None:
            raise Http404
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        form = self.change_password_form(person, request.POST or None)
        if form.is_valid():
            with refusals_in(form):
                people.set_password(person, by=Actor.of(request), password=form.cleaned_data["password1"])
                self.message_user(request, gettext("The password is changed, and old logins have ended."))
                return redirect("admin:auth_user_change", person.pk)
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": person,
            "form": form,
        }
        title = gettext("Set the password of %(name)s") % {"name": person}
        return TemplateResponse(request, "admin/auth/user/change_password.html", {**shared, "title": title})

    @admin.display(description=_("Name"))
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description=_("Groups"))
    def shown_groups(self, person: User) -> str:
        return ", ".join(sorted(group.name for group in person.groups.all())) or gettext("none")

    @admin.display(description=_("State"), ordering="is_active")
    def state(self, person: User) -> str:
        if not person.is_active:
            return pill(_("disabled"), "block", "danger")
        if person.is_superuser:
            return pill(_("superuser"), "shield_person", "info")
        return pill(_("active"), "check_circle", "success")

    @admin.display(description=_("Last login"), ordering="last_login")
    def seen(self, person: User) -> str:
        return time_tag(person.last_login)

    @admin.action(description=_("Disable: log out at once"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for person in queryset:
            people.update(person, by=Actor.of(request), is_active=False)
        count = len(queryset)
        told = ngettext("%(count)d person is disabled.", "%(count)d people are disabled.", count)
        self.message_user(request, told % {"count": count}, messages.SUCCESS)
