"""LLM providers in the console."""

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from assistants import actions
from assistants.models import Provider
from core.actor import Actor
from core.admin.refusals import VerbForm
from core.admin.verbs import Fields, VerbAdmin
from tools.secrets.masking import MASK


class ProviderForm(VerbForm[Provider]):
    """The stored key is never sent to a browser: the field is empty, and left empty it keeps the key."""

    api_key = forms.CharField(
        required=False,
        label=_("API key"),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Kept encrypted and never shown. Leave it empty to keep the stored one."),
    )

    class Meta:
        model = Provider
        fields = ["name", "kind", "base_url", "api_key", "default_model", "fetch_images"]
        labels = {"base_url": _("Address"), "kind": _("Kind"), "default_model": _("Default model")}
        help_texts = {
            "kind": _("What the service speaks. Most services are OpenAI-compatible, LiteLLM and vLLM too."),
            "base_url": _("Empty: the vendor's own address. Else, for example, https://llm.example.org/v1"),
            "default_model": _("The model that assistants use unless they name another."),
        }

    def clean_api_key(self) -> str:
        """An empty field means what is stored: the instance has it, masked."""
        return str(self.cleaned_data["api_key"] or (self.instance.api_key and MASK))


@admin.register(Provider)
class ProviderAdmin(VerbAdmin[Provider]):
    form = ProviderForm
    when_empty = _("Without one, assistants use the service that the installation is set up with.")
    list_display = ["name", "kind", "shown_address", "default_model", "has_key"]
    search_fields = ["name"]

    @admin.display(description=_("Address"))
    def shown_address(self, provider: Provider) -> str:
        return provider.base_url or gettext("The vendor's own")

    @admin.display(description=_("Key stored"), boolean=True)
    def has_key(self, provider: Provider) -> bool:
        return bool(provider.api_key)

    def perform_create(self, request: HttpRequest, fields: Fields) -> Provider:
        return actions.add_provider(by=Actor.of(request), **fields)

    def perform_update(self, request: HttpRequest, row: Provider, changes: Fields) -> object:
        return actions.update_provider(row, by=Actor.of(request), **changes)

    def perform_destroy(self, request: HttpRequest, row: Provider) -> object:
        return actions.delete_provider(row, by=Actor.of(request))
