"""The periodic tasks of Celery beat. A task that still waits in its queue when it is due again, expires."""

from typing import Any

NOTE_S = 20
"""`manage.py doctor` sees by it that periodic tasks run."""


def schedule(*, health_s: float) -> dict[str, dict[str, Any]]:
    """Returns CELERY_BEAT_SCHEDULE. `health_s` is the interval of the checks of MCP servers, in seconds."""
    return {
        "note-beat": _every(NOTE_S, "config.tasks.note_beat"),
        "check-mcp-servers": _every(health_s, "connector.tasks.check"),
        "tidy-mcp-servers": _every(300, "connector.tasks.tidy"),
        "index-tools": _every(30, "tools.tasks.index_tools"),
        "record-lost-runs": _every(30, "assistants.tasks.record_lost_runs"),
        "delete-expired-state": _every(300, "assistants.tasks.delete_expired"),
        "index-assistants": _every(30, "assistants.tasks.index_assistants"),
        "enrich-tools": _every(30, "assistants.tasks.enrich_tools"),
        "tend-background-responses": _every(10, "assistants.tasks.respond"),
        "send-webhooks": _every(10, "assistants.tasks.send_webhooks"),
        "announce-outages": _every(10, "connector.tasks.announce_outages"),
        "announce-expiring-keys": _every(600, "assistants.tasks.announce_expiring_keys"),
        "make-approved-calls": _every(10, "assistants.tasks.make_approved_calls"),
        "tidy-approvals": _every(60, "assistants.tasks.tidy_approvals"),
        "fail-abandoned-runs": _every(60, "assistants.tasks.fail_abandoned_runs"),
    }


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}
