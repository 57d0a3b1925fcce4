"""What the connector hears: someone changed which servers should run, or how."""

from django.dispatch import Signal

intent_changed = Signal()
"""Sent after the commit, with `server_id: int`."""
