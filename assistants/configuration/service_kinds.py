"""Providers and webhooks: services that are called, with one secret each."""

from collections.abc import Iterable

from assistants import actions
from assistants.configuration.kinds import Fields, Kind, as_shown, require_readable
from assistants.configuration.schema import ProviderEntry, WebhookEntry
from assistants.configuration.secret_references import Filling, Names
from assistants.models import Provider, Webhook
from core.actor import Actor

_PLACE = {"kind", "base_url"}


class Providers(Kind[Provider]):
    section, noun, entry, secrets = "providers", "provider", ProviderEntry, frozenset({"api_key"})

    def rows(self) -> Iterable[Provider]:
        return Provider.objects.order_by("name")

    def shown(self, row: Provider) -> Fields:
        return as_shown(row, ProviderEntry)

    def filled(self, fields: Fields, stored: Fields, filling: Filling) -> Fields:
        return {**fields, "api_key": filling.text("api_key", fields["api_key"], stored.get("api_key"))}

    def referring(self, fields: Fields, names: Names) -> Fields:
        require_readable(f"provider {fields['name']}", fields)
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
        require_readable(f"webhook {fields['name']}", fields)
        # Whole, whatever it looks like: many services take whoever knows the address for the sender.
        return {**fields, "url": names.reference("webhook", fields["name"], "url")}

    def add(self, fields: Fields, by: Actor) -> Webhook:
        return actions.add_webhook(by=by, **fields)

    def change(self, row: Webhook, fields: Fields, changed: set[str], filling: Filling, by: Actor) -> None:
        actions.update_webhook(row, by=by, **{name: fields[name] for name in changed})

    def remove(self, row: Webhook, by: Actor) -> None:
        actions.delete_webhook(row, by=by)
