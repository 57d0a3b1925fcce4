"""Who asks a server for something, and how."""

from dataclasses import dataclass

from apikeys.principal import Principal
from assistants.approvals import Asker
from assistants.catalogue.entries import AssistantEntry
from assistants.models import RunKind


@dataclass(frozen=True, slots=True)
class Asked:
    """`assistant` is None where the endpoint of a server is asked, which belongs to no assistant.

    `end_user` is the caller's own name for whom it asks, "" where it names nobody. `session`: the name of the
    MCP client's session, "" without one. The rest as of an Asker.
    """

    principal: Principal
    request_id: str
    kind: RunKind
    assistant: AssistantEntry | None = None
    end_user: str = ""
    session: str = ""
    session_opened_at: float = 0.0
    beside: tuple[AssistantEntry | None, ...] = ()

    def asker(self, run_id: str) -> Asker:
        """Returns who asks whether the call may be made."""
        return Asker(
            self.principal,
            run_id,
            self.kind,
            self.assistant,
            end_user=self.end_user,
            session=self.session,
            request_id=self.request_id,
            beside=self.beside,
            session_opened_at=self.session_opened_at,
        )
