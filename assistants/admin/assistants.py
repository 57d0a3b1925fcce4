"""Assistants and LLM providers in the admin."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from assistants import actions
from assistants.actions import ToolUse, ToolUseRefused
from assistants.models import Assistant, AssistantTool, Provider
from core.actor import Actor
from core.admin.pages import MaskedFormSet, MaskedInline
from core.admin.refusals import VerbForm, refused
from core.admin.verbs import Fields, VerbAdmin


class AssistantForm(VerbForm[Assistant]):
    of_inlines = frozenset({"tools"})

    class Meta:
        model = Assistant
        fields = [
            "name", "slug", "description", "system_prompt", "provider", "model", "fallback_provider",
            "fallback_model", "parameters", "max_rounds", "selection", "top_k", "schema_token_budget",
            "learns", "store_bodies", "rendering", "is_enabled", "api_keys",
        ]  # fmt: skip


class AssistantToolForm(forms.ModelForm[AssistantTool]):
    class Meta:
        model = AssistantTool
        fields = ["mcp_tool", "functions", "pinned"]

    @property
    def use(self) -> ToolUse:
        """The valid row, as the verbs take it."""
        # By the instance: of a row that somebody may not change, `cleaned_data` has ids instead of rows.
        row = self.instance
        return ToolUse(row.mcp_tool, row.functions, [] if row.pinned is None else row.pinned)


class AssistantToolFormSet(MaskedFormSet[AssistantTool, Assistant]):
    refusal: ClassVar[Mapping[str, Sequence[ValidationError]]] = {}

    def full_clean(self) -> None:
        super().full_clean()
        for error in self.refusal.get("tools", ()):
            rows = [form for form in self.forms if _is_at_fault(form, error)]
            for form in rows:
                form.add_error(getattr(error, "field", None), error)
            if not rows:
                self.non_form_errors().extend(error.messages)


def _is_at_fault(form: Any, error: ValidationError) -> bool:
    server = form.cleaned_data.get("mcp_tool") if form.is_valid() else None
    return isinstance(error, ToolUseRefused) and server is not None and server.pk == error.server_id


class AssistantToolInline(MaskedInline[AssistantTool, Assistant]):
    model = AssistantTool
    form = AssistantToolForm
    formset = AssistantToolFormSet
    autocomplete_fields = ["mcp_tool"]
    extra = 1

    def get_formset(self, request: HttpRequest, obj: Assistant | None = None, **kwargs: Any) -> Any:
        return refused(super().get_formset(request, obj, **kwargs), request)


@admin.register(Assistant)
class AssistantAdmin(VerbAdmin[Assistant]):
    form = AssistantForm
    inlines = [AssistantToolInline]
    list_display = ["name", "slug", "provider", "model", "is_enabled"]
    list_filter = ["is_enabled", "provider"]
    search_fields = ["name", "slug", "description"]
    autocomplete_fields = ["api_keys"]
    prepopulated_fields = {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Assistant | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Assistant | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def fields_of_inlines(self, formsets: Sequence[Any]) -> Fields:
        changed = [formset for formset in formsets if formset.has_changed()]
        rows = [form for formset in changed for form in formset.forms if form not in formset.deleted_forms]
        tools = [form.use for form in rows if form.cleaned_data.get("mcp_tool")]
        return {"tools": tools} if changed else {}

    def perform_create(self, request: HttpRequest, fields: Fields) -> Assistant:
        return actions.create(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: Assistant, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: Assistant) -> object:
        return actions.delete(row, by=Actor.of(request))


class ProviderForm(VerbForm[Provider]):
    """The stored key is never sent to a browser: the field is empty, and left empty it keeps the key."""

    api_key = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown. Leave it empty to keep the stored one.",
    )

    class Meta:
        model = Provider
        fields = ["name", "kind", "base_url", "api_key", "default_model", "fetch_images"]

    def clean_api_key(self) -> str:
        """An empty field means what is stored: the instance has it, masked."""
        return str(self.cleaned_data["api_key"] or self.instance.api_key)


@admin.register(Provider)
class ProviderAdmin(VerbAdmin[Provider]):
    form = ProviderForm
    list_display = ["name", "kind", "base_url", "default_model"]
    search_fields = ["name"]

    def perform_create(self, request: HttpRequest, fields: Fields) -> Provider:
        return actions.add_provider(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: Provider, changes: Fields) -> object:
        return actions.update_provider(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: Provider) -> object:
        return actions.delete_provider(row, by=Actor.of(request))
