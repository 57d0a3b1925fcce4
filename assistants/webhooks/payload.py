"""What a webhook is sent: JSON without arguments and codes, signed as Standard Webhooks says.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from datetime import datetime

import orjson
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook as Signer

from apikeys.models import EventType, OutboxEvent
from assistants.models import Webhook

# By address and not by name: a worker never loads the routes of the console. A test compares them.
_APPROVAL = "/admin/assistants/approval/{id}/"
_SERVER, _KEY = (f"/admin/{path}/{{id}}/change/" for path in ("tools/mcptool", "apikeys/apikey"))
PAGES: dict[str, str] = {
    EventType.APPROVAL_WAITING: _APPROVAL,
    EventType.APPROVAL_DECIDED: _APPROVAL,
    EventType.SERVER_DOWN: _SERVER,
    EventType.SERVER_UP: _SERVER,
    EventType.TOOL_CHANGED: "/admin/tools/mcptool/{id}/tools/",
    EventType.BUDGET_NEAR: _KEY,
    EventType.KEY_EXPIRING: _KEY,
}
"""The page of the console that an event is about; `id` is that of its data."""


def body(event: OutboxEvent) -> bytes:
    """Returns the same bytes at each attempt."""
    data = {**event.data, "url": page(event)}
    return orjson.dumps(
        {"type": event.type, "timestamp": event.created_at, "data": data}, option=orjson.OPT_UTC_Z
    )


def page(event: OutboxEvent) -> str | None:
    """Returns the address of the console's page; None where PUBLIC_URL does not say where the console is."""
    path = PAGES.get(event.type, "")
    if not (settings.PUBLIC_URL and path and "id" in event.data):
        return None
    return f"{settings.PUBLIC_URL}{path.format(id=event.data['id'])}"


def headers(webhook: Webhook, event: OutboxEvent, sent: bytes, *, at: datetime) -> dict[str, str]:
    """Returns the headers of a request that is sent `at`. Raises UndecryptableSecret."""
    text = sent.decode()
    signatures = [Signer(secret).sign(event.message_id, at, text) for secret in _secrets(webhook)]
    return {
        "content-type": "application/json",
        "user-agent": "mcp-connector",
        "webhook-id": event.message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _secrets(webhook: Webhook) -> list[str]:
    secrets = [str(webhook.secret)]
    if webhook.previous_secret and (webhook.previous_secret_until or timezone.now()) > timezone.now():
        secrets.append(str(webhook.previous_secret))
    return secrets
