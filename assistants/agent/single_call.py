"""The one round of a run whose model is offered no tool: nothing can follow it, so nothing loops."""

from strands.types.content import Messages

from assistants.agent.run_model import RunModel


class SingleCall:
    """See Rounds."""

    def __init__(self, model: RunModel, messages: Messages, system_prompt: str | None) -> None:
        self.messages = messages
        self._model = model
        self._system_prompt = system_prompt

    async def run(self) -> None:
        turn = await self._model.ask(self.messages, (), self._system_prompt)
        self.messages.append(turn.message())
