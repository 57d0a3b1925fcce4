"""A conversation that goes on from answers that were held: what became of it, for a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistants.events import ApprovalStep, ToolFinished, ToolStarted

Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Continued:
    """`messages` are for the model; `visible` is the conversation as its caller sees it. Both are cut.

    `events` tell of the calls whose outcome this run delivers, and `filled` are the messages of held answers
    with these outcomes, by their ids. `asked_as`: the digest under which the calls that still wait were asked
    about, so that an equal call joins them. `refusal`: where the last message should have decided and did
    not, what is answered instead of asking a model.
    """

    messages: Messages
    visible: Messages
    events: Sequence[ApprovalStep | ToolStarted | ToolFinished] = ()
    filled: Mapping[int, Messages] = field(default_factory=dict, repr=False)
    asked_as: str = ""
    refusal: str = ""
