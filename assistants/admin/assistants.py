"""Assistants in the console: their list, and the tab General of their pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from assistants import actions
from assistants.admin.tabs import tabs_of
from assistants.catalogue.endpoints import endpoint
from assistants.models import Assistant
from core.actor import Actor
from core.admin.pills import pill
from core.admin.refusals import VerbForm
from core.admin.verbs import Fields, VerbAdmin

_PARAMETERS = _(
    "How the model answers, as a JSON object; {} leaves all of it to the model. temperature: 0 is sober, 2 is"
    " wild. top_p: 0 to 1, another way to say the same. max_tokens: the longest answer. reasoning_effort: how"
    " long it thinks, for example low. extra: an object that is sent as it is to your LLM service."
    ' Example: {"temperature": 0.2, "max_tokens": 2000}'
)


class AssistantForm(VerbForm[Assistant]):
    class Meta:
        model = Assistant
        fields = [
            "name", "slug", "description", "system_prompt", "provider", "model", "fallback_provider",
            "fallback_model", "parameters", "max_rounds", "selection", "top_k", "schema_token_budget",
            "learns", "store_bodies", "masks_secrets", "rendering", "is_enabled",
        ]  # fmt: skip
        labels = {
            "slug": _("Model name"),
            "system_prompt": _("Instructions"),
            "provider": _("LLM provider"),
            "fallback_provider": _("Second provider"),
            "fallback_model": _("Second model"),
            "max_rounds": _("Most rounds"),
            "selection": _("Tools that the model is shown"),
            "top_k": _("How many of them"),
            "schema_token_budget": _("Most tokens for their definitions"),
            "learns": _("Learn from use"),
            "store_bodies": _("Keep texts"),
            "masks_secrets": _("Mask secrets in results"),
            "rendering": _("Show tool calls to callers"),
            "is_enabled": _("On"),
        }
        help_texts = {
            "slug": _("Callers name the assistant by it, as their `model`. It cannot be changed later."),
            "description": _("What it is good for. The model “auto” chooses among assistants by this text."),
            "system_prompt": _("What the model is told before each conversation: its task, tone and limits."),
            "provider": _("Empty: the service that the installation is set up with."),
            "parameters": _PARAMETERS,
            "max_rounds": _("How often the model may call tools before it has to answer."),
            "selection": _(
                "With some dozens of tools show all of them. With hundreds, those that fit the request: it"
                " costs less, and the model chooses better."
            ),
            "is_enabled": _("Off: callers are told that there is no such model."),
        }
        widgets = {
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            "system_prompt": UnfoldAdminTextareaWidget(attrs={"rows": 8}),
            "parameters": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }


@admin.register(Assistant)
class AssistantAdmin(VerbAdmin[Assistant]):
    form = AssistantForm
    when_empty = _("An assistant is a model, instructions, and the tools that it may use.")
    list_display = ["name", "called_as", "shown_model", "tool_count", "key_count", "state"]
    list_filter = ["is_enabled", "provider"]
    list_select_related = ["provider"]
    search_fields = ["name", "slug", "description"]

    conditional_fields = {
        "top_k": "selection != 'all'",
        "schema_token_budget": "selection != 'all'",
        "learns": "selection == 'retrieved'",
    }
    fieldsets = [
        (None, {"fields": ["name", "slug", "description", "system_prompt", "is_enabled"]}),
        (
            _("Model"),
            {
                "fields": [("provider", "model")],
                "description": _("The language model that answers."),
            },
        ),
        (
            _("Which tools the model is shown"),
            {
                "fields": ["selection", "top_k", "schema_token_budget", "learns"],
                "description": _("The tools themselves are chosen in the tab Tools."),
            },
        ),
        (
            _("Privacy"),
            {
                "fields": ["store_bodies", "masks_secrets"],
                "description": _("Without it only names, times and sizes are kept of a run, and no texts."),
            },
        ),
        (
            _("Advanced"),
            {
                "classes": ["collapse"],
                "fields": [
                    ("fallback_provider", "fallback_model"), "max_rounds", "rendering", "parameters",
                ],
            },
        ),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assistant]:
        return Assistant.objects.without_vectors().with_counts()

    def get_readonly_fields(self, request: HttpRequest, obj: Assistant | None = None) -> list[str]:
        return ["slug"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Assistant | None = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    @admin.display(description=_("Model"))
    def shown_model(self, assistant: Assistant) -> str:
        return endpoint(assistant.provider, assistant.model).model

    @admin.display(description=_("Called as"), ordering="slug")
    def called_as(self, assistant: Assistant) -> str:
        return assistant.slug

    @admin.display(description=_("Tools"), ordering="tool_count")
    def tool_count(self, assistant: Any) -> int:
        return int(assistant.tool_count)

    @admin.display(description=_("Keys"), ordering="key_count")
    def key_count(self, assistant: Any) -> int:
        return int(assistant.key_count)

    @admin.display(description=_("State"), ordering="is_enabled")
    def state(self, assistant: Any) -> SafeString:
        if not assistant.is_enabled:
            return pill(_("Off"), "block", "neutral")
        if not assistant.key_count:
            return pill(_("No key"), "key_off", "warning", title=_("No API key may call it: see its Access."))
        return pill(_("On"), "check_circle", "success")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if (assistant := context.get("original")) is not None:
            context["tabs"] = tabs_of(assistant, request.user, "general")
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: Assistant, post_url_continue: str | None = None
    ) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        is_plain = "_save" in request.POST and "_popup" not in request.POST
        return redirect("admin:assistant_tools", obj.pk) if is_plain else response

    def perform_create(self, request: HttpRequest, fields: Fields) -> Assistant:
        return actions.create(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: Assistant, changes: Fields) -> object:
        return actions.update(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: Assistant) -> object:
        return actions.delete(row, by=Actor.of(request))
