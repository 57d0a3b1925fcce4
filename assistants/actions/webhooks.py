"""Adds, changes and deletes webhooks, and has deliveries sent again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from apikeys import audit, outbox
from assistants.models import Delivery, DeliveryState, Webhook
from assistants.models.webhooks import LONGEST_URL, new_secret
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean
from tools.outbound.egress import require_allowed

SECRET_GRACE = timedelta(hours=24)
"""For how long the previous secret signs, too, so that receivers can be given the new one."""


@transaction.atomic
def add_webhook(*, name: str, url: str, by: Actor, **fields: Any) -> Webhook:
    """Adds a webhook; its `secret` is to be shown now. Raises ValidationError and Conflict."""
    webhook = Webhook(name=name, url=url, **fields)
    _require_address(webhook.url)
    clean(webhook)
    webhook.save(force_insert=True)
    audit.created(webhook, by=by)
    return webhook


@transaction.atomic
def update_webhook(webhook: Webhook, *, by: Actor, **changes: Any) -> Webhook:
    """Changes a webhook; a masked address stays as it is stored. Raises ValidationError and Conflict.

    Deliveries that wait are given up when it is switched off: what is over by then is no news.
    """
    _lock(webhook)
    with audit.changing(webhook, by=by):
        for name, value in _unmasked(webhook, changes).items():
            setattr(webhook, name, value)
        clean(webhook)
        webhook.save(update_fields=[*changes, "updated_at"])
    if not webhook.is_enabled:
        _give_up(webhook)
    _count_version(webhook)
    return webhook


@transaction.atomic
def delete_webhook(webhook: Webhook, *, by: Actor) -> None:
    """Deletes a webhook with the log of its deliveries."""
    _lock(webhook)
    audit.deleted(webhook, by=by)
    webhook.delete()


@transaction.atomic
def rotate_webhook_secret(webhook: Webhook, *, by: Actor) -> Webhook:
    """Gives a webhook a new `secret`, to be shown now. For SECRET_GRACE the previous one signs, too."""
    _lock(webhook)
    with audit.changing(webhook, by=by, action="rotated"):
        webhook.previous_secret, webhook.secret = webhook.secret, new_secret()
        webhook.previous_secret_until = timezone.now() + SECRET_GRACE
        webhook.save(update_fields=["secret", "previous_secret", "previous_secret_until", "updated_at"])
    _count_version(webhook)
    return webhook


@transaction.atomic
def resend_delivery(delivery: Delivery, *, by: Actor) -> Delivery:
    """Has a delivery sent once more, with all its attempts.

    Raises Conflict while it waits, and where its webhook is switched off.
    """
    delivery.refresh_from_db(from_queryset=Delivery.objects.select_for_update())
    if delivery.state == DeliveryState.WAITING:
        raise Conflict(gettext("It is on its way: wait for what becomes of it."), "already_waiting")
    if not delivery.webhook.is_enabled:
        raise Conflict(gettext("The webhook is switched off: switch it on first."), "webhook_disabled")
    delivery.state, delivery.attempts, delivery.next_attempt_at = DeliveryState.WAITING, 0, timezone.now()
    delivery.save(update_fields=["state", "attempts", "next_attempt_at"])
    audit.happened(
        "resent",
        by=by,
        kind="webhook",
        object_id=delivery.webhook_id,
        name=delivery.webhook.name,
        event=delivery.event.message_id,
    )
    transaction.on_commit(outbox.send)
    return delivery


def _lock(webhook: Webhook) -> None:
    # Read anew: a form of the console has already changed its own row, whose address is masked.
    webhook.refresh_from_db(from_queryset=Webhook.objects.select_for_update())


def _give_up(webhook: Webhook) -> None:
    """Fails what waits. An attempt that is on its way has no fence any more, and writes no outcome."""
    waiting = Delivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING)
    error = "The webhook was switched off."
    waiting.update(state=DeliveryState.FAILED, next_attempt_at=None, fence=None, error=error)


def _count_version(webhook: Webhook) -> None:
    Webhook.objects.filter(pk=webhook.pk).update(version=F("version") + 1)


def _unmasked(webhook: Webhook, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values to store. Raises ValidationError for an address that must not be called."""
    if "url" not in changes:
        return dict(changes)
    try:
        url = Webhook.url_field().unmasked(changes["url"], webhook.url)
    except ValidationError as error:
        raise ValidationError({"url": error}) from error
    if url is not webhook.url:
        _require_address(url)
    return {**changes, "url": url}


def _require_address(url: Any) -> None:
    if not isinstance(url, str) or not url or len(url) > LONGEST_URL or "\0" in url:
        raise ValidationError({"url": gettext("Give an address of up to %d characters.") % LONGEST_URL})
    try:
        require_allowed(url)
    except ValidationError as error:
        raise ValidationError({"url": error}) from error
