"""An LLM client that asks no service: it counts the tokens of what would be asked."""

from assistants.agent.llm import token_counts
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.model_turn import texts


class Counted(Exception):
    """Ends the run: there will be no answer."""


class InputCounter:
    model = kind = ""
    service = ""
    takes_image_addresses = True

    def __init__(self) -> None:
        self.tokens = 0

    async def answer(self, asked: Round, completion: Completion) -> None:
        self.tokens = token_counts.of_texts(texts(asked))
        raise Counted
