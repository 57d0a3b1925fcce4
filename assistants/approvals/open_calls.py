"""Calls that answers wait for, as their caller may know them."""

from collections.abc import Collection
from dataclasses import dataclass

from assistants.approvals.asking import Asker
from assistants.models import Approval, ApprovalState
from core.database import in_thread

_UNDER_WAY = {ApprovalState.APPROVED, ApprovalState.RUNNING}


@dataclass(frozen=True, slots=True)
class OpenCall:
    number: int
    state: str
    server: str
    function: str
    public_name: str
    transcript: str

    @property
    def is_under_way(self) -> bool:
        """Whether somebody has agreed, so that the outcome is near."""
        return self.state in _UNDER_WAY


@in_thread
def open_calls(numbers: Collection[int], asker: Asker) -> dict[int, OpenCall]:
    """Returns the calls by their numbers; those of another caller or end user are left out."""
    rows = Approval.objects.filter(pk__in=list(numbers), owner=asker.owner, end_user=asker.end_user)
    return {
        row.pk: OpenCall(row.pk, row.state, row.server, row.function, row.public_name, row.transcript)
        for row in rows.undecrypted().order_by("pk")
    }
