"""Who asks a server for something, and how."""

from dataclasses import dataclass

from apikeys.principal import Principal
from assistants.catalogue.entries import AssistantEntry
from assistants.models import RunKind


@dataclass(frozen=True, slots=True)
class Asked:
    """`assistant` is None where the endpoint of a server is asked, which belongs to no assistant."""

    principal: Principal
    request_id: str
    kind: RunKind
    assistant: AssistantEntry | None = None
