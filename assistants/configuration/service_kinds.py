"""Providers and webhooks: services that are called, with one secret each."""

from collections.abc import Iterable, Mapping

from django.conf import settings

from assistants import actions
from assistants.catalogue.endpoints import OPENAI_BASE_URL
from assistants.configuration.kinds import Fields, Kind, as_shown, require_readable
from assistants.configuration.schema import ProviderEntry, WebhookEntry
from assistants.configuration.secret_references import Filling, Names
from assistants.models import Provider, Webhook
from core.actor import Actor
from core.printable import shown
from tools.connection_settings import is_same_host

_PLACE = {"kind", "base_url"}
_KEY = "OPENAI_API_KEY"


def key_of_settings(kind: str, base_url: str) -> Mapping[str, str]:
    """Returns what fills the key of a provider beside the environment: OPENAI_API_KEY, where it is meant for.

    That is OpenAI, and the host to which this installation sends it anyhow. No file has it sent elsewhere.
    """
    homes = (settings.OPENAI_BASE_URL, OPENAI_BASE_URL)
    is_home = any(is_same_host(base_url or OPENAI_BASE_URL, home) for home in homes)
    return {_KEY: settings.OPENAI_API_KEY} if is_home and kind == Provider.Kind.OPENAI else {}


class Providers(Kind[Provider]):
    section, noun, entry, secrets = "providers", "provider", ProviderEntry, frozenset({"api_key"})

    def rows(self) -> Iterable[Provider]:
        return Provider.objects.order_by("name")

    def shown(self, row: Provider) -> Fields:
        return as_shown(row, ProviderEntry)

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        more = key_of_settings(fields["kind"], fields["base_url"])
        key = filling.text("api_key", fields["api_key"], stored.get("api_key"), more=more)
        return {**fields, "api_key": key}

    def referring(self, fields: Fields, names: Names) -> Fields:
        require_readable(f"provider {shown(fields['name'])}", fields)
        secret = names.reference("provider", fields["name"], "api-key") if fields["api_key"] else ""
        return {**fields, "api_key": secret}

    def add(self, fields: Fields, by: Actor) -> Provider:
        return actions.add_provider(by=by, **fields)

    def change(self, row: Provider, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        # At another address the key is asked for again. The verb refuses to take along one that is kept.
        is_given = changed & _PLACE and not filling.kept
        names = changed | ({"api_key"} if is_given else set())
        actions.update_provider(row, by=by, **{name: fields[name] for name in names})

    def remove(self, row: Provider, by: Actor) -> None:
        actions.delete_provider(row, by=by)


class Webhooks(Kind[Webhook]):
    section, noun, entry, secrets = "webhooks", "webhook", WebhookEntry, frozenset({"url"})
    step = "nobody has seen its secret: rotate it to get one for the receiver."

    def rows(self) -> Iterable[Webhook]:
        return Webhook.objects.order_by("name")

    def shown(self, row: Webhook) -> Fields:
        return as_shown(row, WebhookEntry, events=sorted(row.events))

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        return {**fields, "url": filling.text("url", fields["url"], stored.get("url"))}

    def referring(self, fields: Fields, names: Names) -> Fields:
        require_readable(f"webhook {shown(fields['name'])}", fields)
        # Whole, whatever it looks like: many services take whoever knows the address for the sender.
        return {**fields, "url": names.reference("webhook", fields["name"], "url")}

    def add(self, fields: Fields, by: Actor) -> Webhook:
        return actions.add_webhook(by=by, **fields)

    def change(self, row: Webhook, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        actions.update_webhook(row, by=by, **{name: fields[name] for name in changed})

    def remove(self, row: Webhook, by: Actor) -> None:
        actions.delete_webhook(row, by=by)
