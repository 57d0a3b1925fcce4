"""Observes a run: keeps its answer where calls wait, and notes whose outcome its caller has been told."""

from assistants.approvals import held_answers, transcripts
from assistants.approvals.asking import Asker
from assistants.approvals.continued import Continued, Messages
from assistants.approvals.outcomes import delivered
from assistants.events import AnswerHeld, ApprovalStep, Finished, RunEvent
from assistants.models import ApprovalState


class Delivery:
    """`visible` is the conversation as the caller sees it; `continued` what was restored of it."""

    def __init__(self, asker: Asker, visible: Messages, continued: Continued | None) -> None:
        self._asker = asker
        self._visible = visible
        self._continued = continued
        self._told: set[int] = set()

    async def on_event(self, event: RunEvent) -> None:
        """Before the caller has the event: it may send its next message at once. Raises django.db.Error."""
        match event:
            case ApprovalStep() if event.state != ApprovalState.WAITING:
                self._told.add(event.number)
            case AnswerHeld():
                digest = transcripts.digest(self._visible)
                await held_answers.save(self._asker, digest, event.rounds, event.waiting)
            case Finished():
                await self._deliver()

    async def _deliver(self) -> None:
        if self._continued is not None and self._continued.filled:
            await held_answers.fill(self._continued.filled)
        if self._told:
            await delivered(self._told)
