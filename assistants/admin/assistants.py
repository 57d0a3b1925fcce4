"""Assistants and providers in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from assistants import actions
from assistants.models import Assistant, AssistantTool, Provider
from core.actor import Actor


class AssistantForm(forms.ModelForm[Assistant]):
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

    def clean_pinned(self) -> list[str]:
        pinned = self.cleaned_data["pinned"] or []
        if not isinstance(pinned, list) or not all(isinstance(name, str) for name in pinned):
            raise forms.ValidationError('Give a list of names, for example ["now"].')
        return pinned


class AssistantToolInline(admin.TabularInline[AssistantTool, Assistant]):
    model = AssistantTool
    form = AssistantToolForm
    autocomplete_fields = ["mcp_tool"]
    extra = 1


@admin.register(Assistant)
class AssistantAdmin(admin.ModelAdmin[Assistant]):
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

    def save_model(
        self, request: HttpRequest, obj: Assistant, form: forms.ModelForm[Assistant], change: bool
    ) -> None:
        if change:
            actions.update(
                obj, by=Actor.of(request), **{name: form.cleaned_data[name] for name in form.changed_data}
            )
        else:
            obj.pk = actions.create(by=Actor.of(request), **form.cleaned_data).pk

    def delete_model(self, request: HttpRequest, obj: Assistant) -> None:
        actions.delete(obj, by=Actor.of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Assistant]) -> None:
        for assistant in queryset:
            actions.delete(assistant, by=Actor.of(request))


class ProviderForm(forms.ModelForm[Provider]):
    """The form of a provider. It never shows the stored key; an empty field leaves the key as it is."""

    api_key = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown. Leave it empty to keep the stored one.",
    )

    class Meta:
        model = Provider
        fields = ["name", "kind", "base_url", "api_key", "default_model"]

    def clean(self) -> dict[str, Any] | None:
        if "base_url" in self.changed_data and self.instance.api_key and not self.data.get("api_key"):
            self.add_error("api_key", "Give the key again: the address is another one.")
        return super().clean()

    def clean_api_key(self) -> str:
        return str(self.cleaned_data["api_key"] or self.instance.api_key)


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin[Provider]):
    form = ProviderForm
    list_display = ["name", "kind", "base_url", "default_model"]
    search_fields = ["name"]

    def save_model(
        self, request: HttpRequest, obj: Provider, form: forms.ModelForm[Provider], change: bool
    ) -> None:
        if change:
            actions.update_provider(
                obj, by=Actor.of(request), **{name: form.cleaned_data[name] for name in form.changed_data}
            )
        else:
            obj.pk = actions.add_provider(by=Actor.of(request), **form.cleaned_data).pk

    def delete_model(self, request: HttpRequest, obj: Provider) -> None:
        actions.delete_provider(obj, by=Actor.of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset:
            actions.delete_provider(provider, by=Actor.of(request))
