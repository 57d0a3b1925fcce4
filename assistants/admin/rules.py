"""The console's pages of rules: their list in the order in which they are asked, and the form."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Case, IntegerField, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from assistants import actions
from assistants.admin import rule_trials, rule_words
from assistants.admin.rule_form import HINT_FIELDS, RuleForm
from assistants.models import Rule
from core.actor import Actor
from core.admin.buttons import posted
from core.admin.pills import pill
from core.admin.refusals import REFUSALS, text_of
from core.admin.text import shown
from core.admin.verbs import Fields, VerbAdmin
from tools.models import MCPTool

SHIPPED = "Ask before private data can leave with foreign words"
"""The name of the rule that comes with the product, switched off."""
_SCOPES = (Rule.Scope.GLOBAL, Rule.Scope.ASSISTANT, Rule.Scope.KEY)


@admin.register(Rule)
class RuleAdmin(VerbAdmin[Rule]):
    form = RuleForm
    when_empty = _("Without a rule, every call of a tool is made at once.")
    list_display = ["shown_name", "words", "then", "state"]
    list_filter = ["effect", "is_enabled", "scope"]
    list_select_related = ["assistant", "api_key"]
    list_before_template = "admin/assistants/rule/list_before.html"
    change_form_outer_after_template = "admin/assistants/rule/dry_run_panel.html"
    search_fields = ["name"]
    sortable_by = ()
    actions_row = ["toggle", "move_up", "move_down"]
    actions_detail = ["toggle"]
    conditional_fields = {
        "assistant": "typeof scope === 'undefined' || scope == 'assistant'",
        "api_key": "typeof scope === 'undefined' || scope == 'key'",
        "approver": "typeof effect === 'undefined' || effect == 'ask'",
        "mask": "typeof effect === 'undefined' || effect == 'mask'",
    }
    fieldsets = [
        (None, {"fields": ["name", "is_enabled"]}),
        (
            _("Which calls"),
            {
                "fields": ["scope", "assistant", "api_key", "servers", "functions", "labels", "end_users"],
                "description": _("All that you choose must be true of a call. Empty: it does not matter."),
            },
        ),
        (
            _("What the tools say of themselves"),
            {
                "classes": ["collapse"],
                "fields": [tuple(HINT_FIELDS)],
                "description": _(
                    "A server's own claims. They are believed where somebody approved the tool's definition;"
                    " else the worse is assumed."
                ),
            },
        ),
        (_("Advanced: expression"), {"classes": ["collapse"], "fields": ["expression"]}),
        (_("Then"), {"fields": ["effect", "approver", "mask", "reason"]}),
    ]  # fmt: skip

    class Media:
        js = ["console/rules.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        scopes = [When(scope=scope, then=place) for place, scope in enumerate(_SCOPES)]
        return Rule.objects.annotate(scope_place=Case(*scopes, output_field=IntegerField()))

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["scope_place", "assistant_id", "api_key_id", "position", "pk"]

    def get_urls(self) -> list[URLPattern]:
        dry_run = self.admin_site.admin_view(self.dry_run)
        return [path("dry-run/", dry_run, name="assistants_rule_dry_run"), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        if obj is None or self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["name", "words", "then", "shown_expression", "reason", "is_enabled"]})]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        shipped = Rule.objects.filter(name=SHIPPED, is_enabled=False).first()
        return super().changelist_view(request, {"shipped": shipped, **(extra_context or {})})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        servers = dict(MCPTool.objects.values_list("pk", "name"))
        for rule in changes.result_list:
            rule.matched = rule_words.matched(rule, servers)
        return changes

    def has_toggle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    @posted(description=_("Switch on or off"), url_path="toggle", icon="toggle_on", permissions=["toggle"])
    def toggle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rule = self._rule(object_id)
        is_on = not rule.is_enabled
        told = _("“%(name)s” is on: it holds from the next call.") if is_on else _("“%(name)s” is off.")
        with self._telling(request):
            actions.update_rule(rule, by=Actor.of(request), is_enabled=is_on)
            messages.success(request, told % {"name": rule.name})
        return redirect("admin:assistants_rule_changelist")

    @posted(description=_("Move up"), url_path="up", icon="arrow_upward", permissions=["toggle"])
    def move_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(request, object_id, -1)

    @posted(description=_("Move down"), url_path="down", icon="arrow_downward", permissions=["toggle"])
    def move_down(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._move(request, object_id, 1)

    def _move(self, request: HttpRequest, object_id: str, by: int) -> HttpResponse:
        """Changes places with the next rule of the same scope. The first and the last stay where they are."""
        rule = self._rule(object_id)
        same = Rule.objects.filter(scope=rule.scope, assistant=rule.assistant_id, api_key=rule.api_key_id)
        ids = list(same.order_by("position", "pk").values_list("pk", flat=True))
        place = ids.index(rule.pk)
        ids.insert(max(0, place + by), ids.pop(place))
        with self._telling(request):
            actions.reorder_rules(ids, by=Actor.of(request))
        return redirect("admin:assistants_rule_changelist")

    def _rule(self, object_id: str) -> Rule:
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        rule = Rule.objects.filter(pk=int(object_id)).first() if is_number else None
        if rule is None:
            raise Http404
        return rule

    @contextmanager
    def _telling(self, request: HttpRequest) -> Iterator[None]:
        try:
            with transaction.atomic():
                yield
        except REFUSALS as error:
            messages.error(request, text_of(error))

    def dry_run(self, request: HttpRequest) -> HttpResponse:
        """Answers a post of the form with what the rule would have made of the calls of the last week."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return redirect("admin:assistants_rule_changelist")
        return TemplateResponse(
            request, "admin/assistants/rule/dry_run.html", rule_trials.tried(request.POST)
        )

    def perform_create(self, request: HttpRequest, fields: Fields) -> Rule:
        with rule_trials.at_fields():
            return actions.add_rule(by=Actor.of(request), **rule_trials.for_verbs(fields))

    def perform_update(self, request: HttpRequest, row: Rule, changes: Fields) -> object:
        # The form has put the conditions into the row.
        taken = rule_trials.for_verbs({**changes, "conditions": row.conditions})
        with rule_trials.at_fields():
            return actions.update_rule(row, by=Actor.of(request), **taken)

    def perform_destroy(self, request: HttpRequest, row: Rule) -> object:
        return actions.delete_rule(row, by=Actor.of(request))

    @admin.display(description=_("Rule"))
    def shown_name(self, rule: Rule) -> str:
        return shown(rule.name, most=120)

    @admin.display(description=_("Which calls"))
    def words(self, rule: Rule) -> str:
        matched = getattr(rule, "matched", None)
        return matched or rule_words.matched(rule, dict(MCPTool.objects.values_list("pk", "name")))

    @admin.display(description=_("Then"))
    def then(self, rule: Rule) -> str:
        return rule_words.outcome(rule)

    @admin.display(description=_("Expression"))
    def shown_expression(self, rule: Rule) -> str:
        return shown(rule.conditions.get("expression", ""))

    @admin.display(description=_("State"))
    def state(self, rule: Rule) -> str:
        return (
            pill(_("On"), "check_circle", "success")
            if rule.is_enabled
            else pill(_("Off"), "block", "neutral")
        )
