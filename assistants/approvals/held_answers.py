"""Answers that ended while calls waited, as rows: each belongs to a caller, its end user and an assistant."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from assistants.approvals.asking import Asker
from assistants.models import HeldAnswer, alive
from core.database import in_thread

Messages = Sequence[Mapping[str, Any]]
_MOST = 64


@dataclass(frozen=True, slots=True)
class Held:
    """`waiting`: the numbers of the approvals by the ids of the calls. `messages` has results for some."""

    id: int
    transcript: str
    messages: Messages = field(repr=False)
    waiting: Mapping[str, int]

    @property
    def numbers(self) -> set[int]:
        return set(self.waiting.values())

    @property
    def open_calls(self) -> dict[str, int]:
        """The calls that have no result here."""
        answered = {message.get("tool_call_id") for message in self.messages}
        return {call_id: number for call_id, number in self.waiting.items() if call_id not in answered}


@in_thread
def save(asker: Asker, transcript: str, rounds: Messages, waiting: Mapping[str, int]) -> None:
    """Keeps an answer for as long as somebody may decide, and its result is kept after that."""
    now = timezone.now()
    HeldAnswer.objects.create(
        **_of(asker),
        transcript=transcript,
        messages=list(rounds),
        waiting=dict(waiting),
        expires_at=now + timedelta(hours=settings.APPROVAL_DUE_H, days=settings.APPROVAL_RESULT_DAYS),
    )


@in_thread
def find(asker: Asker, transcripts: Collection[str]) -> list[Held]:
    """Returns the answers to these conversations, the latest first."""
    rows = alive(HeldAnswer.objects.filter(**_of(asker), transcript__in=list(transcripts)))
    return [Held(row.pk, row.transcript, row.messages, row.waiting) for row in rows.order_by("-pk")[:_MOST]]


@in_thread
def fill(filled: Mapping[int, Messages]) -> None:
    """Replaces the messages of answers by those with the results that were told."""
    for row_id, messages in filled.items():
        HeldAnswer.objects.filter(pk=row_id).update(messages=list(messages))


def _of(asker: Asker) -> dict[str, Any]:
    return {
        "owner": asker.owner,
        "end_user": asker.end_user,
        "assistant_id": asker.assistant.id if asker.assistant else None,
    }
