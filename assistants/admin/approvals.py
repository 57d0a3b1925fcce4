"""The console's list of approvals. The page of each is in `assistants.console.approval_page`."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.paginator import InfinitePaginator

from assistants.admin.approval_states import pill_of
from assistants.models import Approval
from core.admin.filters import PeriodFilter
from core.admin.pages import ReadOnlyAdmin
from core.admin.text import shown
from core.admin.times import time_tag


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin[Approval]):
    """Calls that wait for a decision, and those about which somebody has decided."""

    when_empty = _("Calls that a rule asks about are listed here. Make a rule that asks to see one.")
    list_display = ["call", "asked_by", "called_from", "shown_rule", "shown_state", "decided", "asked"]
    list_display_links = ["call"]
    list_filter = [
        ("state", ChoicesDropdownFilter),
        ("approver", ChoicesDropdownFilter),
        ("assistant", AutocompleteSelectFilter),
        ("api_key", AutocompleteSelectFilter),
        ("created_at", PeriodFilter),
    ]
    list_filter_submit = True
    paginator = InfinitePaginator
    show_full_result_count = False
    sortable_by = ()
    is_audited = True
    fields = ["state"]  # the page of an approval is none of Django's
    search_fields = ["pk"]
    search_help_text = _("The number of an approval, or the name of a tool or a server.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        return Approval.objects.undecrypted()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Approval], search_term: str
    ) -> tuple[QuerySet[Approval], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        named = Q(function__iexact=text) | Q(server__iexact=text)
        is_number = text.isascii() and text.isdigit() and len(text) < 19
        return queryset.filter(named | Q(pk=int(text)) if is_number else named), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Leads to the page of the approval: deciding is no form of its columns."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        approval = self.get_object(request, object_id)
        if approval is None:
            return super().change_view(request, object_id, form_url, extra_context)
        return redirect("admin:approval", approval.pk)

    @admin.display(description=_("Call"))
    def call(self, approval: Approval) -> str:
        return shown(f"{approval.pk}: {approval.server} · {approval.function}", most=120)

    @admin.display(description=_("Asked by"))
    def asked_by(self, approval: Approval) -> str:
        who = approval.api_key_name or approval.username
        return shown(f"{who} ({approval.end_user})" if approval.end_user else who, most=120)

    @admin.display(description=_("Assistant"))
    def called_from(self, approval: Approval) -> str | None:
        return approval.assistant_slug or None

    @admin.display(description=_("Rule"))
    def shown_rule(self, approval: Approval) -> str | None:
        return shown(approval.rule_name, most=80) or None

    @admin.display(description=_("State"))
    def shown_state(self, approval: Approval) -> str:
        return pill_of(approval)

    @admin.display(description=_("Decided by"))
    def decided(self, approval: Approval) -> str | None:
        return approval.decided_by or None

    @admin.display(description=_("Asked"))
    def asked(self, approval: Approval) -> str:
        return time_tag(approval.created_at)
