"""The rounds of a run: how its model is asked until it answers."""

from typing import Protocol

from strands.types.content import Messages


class Rounds(Protocol):
    @property
    def messages(self) -> Messages:
        """The conversation, at its end what the rounds have added."""

    async def run(self) -> None:
        """Asks until the model answers, and emits what tools do. The RunModel emits the text itself.

        Raises UpstreamFailed.
        """
