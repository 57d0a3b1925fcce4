"""The interface of an LLM client: one round of one run, whichever service answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from strands.types.content import Messages

from assistants.agent.llm.completion import Completion
from assistants.agent.llm.spec import Spec


@dataclass(frozen=True, slots=True)
class Round:
    """The input of the model. `tool_choice` is spelled as OpenAI does; None forces nothing.

    `reasoning_field` is the field in which the service sent its reasoning before, and wants it back.
    `is_own`: the service gave the assistant's turns, as far as is known. Another one gets neither the ids of
    calls nor the attachments of the first.
    """

    messages: Messages
    system_prompt: str | None
    specs: Sequence[Spec]
    tool_choice: str | Mapping[str, Any] | None
    reasoning_field: str
    is_own: bool = True


class LLMClient(Protocol):
    """Asks one model at one service."""

    model: str
    kind: str
    """One of Provider.Kind; "" for none."""
    service: str
    """Its address: two models of one service understand each other's turns."""
    takes_image_addresses: bool
    """Whether it may be given an image's https address; else each is given as bytes."""

    async def answer(self, asked: Round, completion: Completion) -> None:
        """Fill `completion` as the answer comes, until it is whole. Raises UpstreamFailed."""
