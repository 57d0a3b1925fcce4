"""Where the answers of a model come from: one round of one run, whichever service gives it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from strands.types.content import Messages

from assistants.agent.llm.completion import Completion, Delta
from assistants.agent.llm.spec import Spec


@dataclass(frozen=True, slots=True)
class Round:
    """What the model is asked. `tool_choice`, as OpenAI spells it, is None where nothing is forced."""

    messages: Messages
    system_prompt: str | None
    specs: Sequence[Spec]
    tool_choice: str | Mapping[str, Any] | None
    reasoning_field: str


class Source(Protocol):
    """`answer` tells the text as it comes, and fills `completion` with all else. It raises UpstreamFailed."""

    model: str

    def answer(self, asked: Round, completion: Completion) -> AsyncGenerator[Delta, None]: ...
