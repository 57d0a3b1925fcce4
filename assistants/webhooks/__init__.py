"""Tells webhooks about the events of `apikeys.outbox`: signed, with retries, through the egress filter."""

from assistants.webhooks.sender import send_due

__all__ = ["send_due"]
