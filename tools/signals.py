"""What the connector hears: someone changed which servers should run, or how, or what tools there are."""

from django.dispatch import Signal

intent_changed = Signal()
"""Sent after the commit, with `server_id: int`."""

catalogue_changed = Signal()
"""Sent after the commit: what is searched of tools is not what it was."""
