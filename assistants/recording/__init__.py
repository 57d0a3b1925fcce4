"""Runs on the record: what was asked and what became of it, written off the request's path."""

from assistants.recording.records import Origin
from assistants.recording.trace import recorded, writer

__all__ = ["Origin", "lifespan", "recorded"]

lifespan = writer.running
