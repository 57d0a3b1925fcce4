"""Strands' view of a run's LLM: counted, with a second service that takes over where the first one fails."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast

import orjson
from strands.models.model import Model
from strands.types.content import ContentBlockStartToolUse, Messages
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolSpec

from assistants.agent.llm.client import LLMClient, Round
from assistants.agent.llm.completion import Completion, ToolCall
from assistants.agent.llm.spec import Spec
from assistants.agent.messages import tool_input
from assistants.errors import UpstreamFailed
from assistants.events import FinishReason

log = logging.getLogger(__name__)

_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


class RunModel(Model):
    """The model of one run. It offers tools for `max_rounds` rounds; in one more the model must answer.

    Where a client fails before the model has said anything, the next one is asked, from then on alone.
    `on_text` gets the text of all rounds as it comes.
    """

    def __init__(
        self,
        clients: Sequence[LLMClient],
        *,
        tool_choice: str | Mapping[str, Any] | None,
        max_rounds: int,
        on_text: Callable[[str], None],
    ) -> None:
        self.rounds = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.finish_reason: FinishReason = "stop"
        self.calls: Sequence[ToolCall] = ()
        """Of the last round."""
        self.reasoning_field = "reasoning_content"
        self._clients = clients
        self._tool_choice = tool_choice
        self._max_rounds = max_rounds
        self._on_text = on_text
        self._last_text, self._last_text_round = "", 0

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        **_: Any,
    ) -> AsyncGenerator[StreamEvent, None]:
        """One round, for Strands: the answer once it is whole. Raises UpstreamFailed.

        The run's caller gets the text while it comes, by `on_text`. Strands would pass each delta through
        five generators and back to us.
        """
        self.rounds += 1
        specs = cast(list[Spec], tool_specs or []) if self.rounds <= self._max_rounds else []
        # A forced tool holds for the first round only, or the model could never answer.
        choice = self._tool_choice if self.rounds == 1 and _is_possible(self._tool_choice, specs) else None
        yield {"messageStart": {"role": "assistant"}}
        completion = await self._answer(Round(messages, system_prompt, specs, choice, self.reasoning_field))
        self._settle(completion, may_call=bool(specs))
        for event in _message(completion, self.calls):
            yield event

    @property
    def offers_tools(self) -> bool:
        """Whether the next round does."""
        return self.rounds < self._max_rounds

    def withdraw_tools(self) -> None:
        """From now on the model must answer."""
        self._max_rounds = 0

    async def _answer(self, asked: Round) -> Completion:
        while True:
            completion = Completion(on_text=self._add_text)
            try:
                await self._clients[0].answer(asked, completion)
            except UpstreamFailed as failure:
                # The caller has seen a part of the answer already: another model's would not continue it.
                if completion.has_begun:
                    raise
                self._fail_over(failure)
            else:
                return completion

    def _fail_over(self, failure: UpstreamFailed) -> None:
        """Go on to the next client. Raises the failure where there is none, or none may help."""
        if len(self._clients) == 1 or failure.code == "context_length_exceeded":
            raise failure
        failed, following = self._clients[0], self._clients[1:]
        log.warning("Model %s failed (%s): asking %s.", failed.model, failure.code, following[0].model)
        self._clients = following

    def _add_text(self, text: str) -> None:
        """Separate the texts of two rounds by a blank line, or the last word of one would touch the next."""
        is_first = self._last_text_round in {0, self.rounds}
        if not is_first and not (self._last_text[-1].isspace() or text[0].isspace()):
            self._on_text("\n\n")
        self._last_text, self._last_text_round = text, self.rounds
        self._on_text(text)

    def _settle(self, completion: Completion, *, may_call: bool) -> None:
        """Add up the round. Calls of an answer that was cut are not made, because so were their arguments."""
        self.finish_reason = _FINISH_REASONS.get(completion.finish_reason or "", "stop")
        self.calls = completion.calls if may_call and self.finish_reason == "stop" else ()
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.reasoning_field = completion.reasoning_field

    async def count_tokens(self, *_: Any, **__: Any) -> int:
        """Strands asks before each call, for conversation managers that are not used here."""
        return 0

    def get_config(self) -> dict[str, Any]:
        return {"model_id": self._clients[0].model}

    def update_config(self, **model_config: Any) -> NoReturn:
        raise NotImplementedError("A model is made for one run.")

    def structured_output(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("A response format goes through to the LLM service.")


def _message(completion: Completion, calls: Iterable[ToolCall]) -> Iterator[StreamEvent]:
    """Yields a whole answer in Strands' events: one block of reasoning and text, and one for each call."""
    if completion.reasoning:
        yield {"contentBlockDelta": {"delta": {"reasoningContent": {"text": completion.reasoning}}}}
    if completion.text:
        yield {"contentBlockDelta": {"delta": {"text": completion.text}}}
    yield {"contentBlockStop": {}}
    for call in calls:
        yield from _tool_use(call)
    yield {"messageStop": {"stopReason": "tool_use" if calls else "end_turn"}}


def _tool_use(call: ToolCall) -> Iterator[StreamEvent]:
    # Strands parses the input, and replaces what it cannot parse by {}. So it always gets JSON: an object or,
    # of arguments that are none, a string (see `tool_input`), which the tool refuses.
    text = orjson.dumps(tool_input(call.arguments)).decode()
    start: ContentBlockStartToolUse = {"name": call.name, "toolUseId": call.id}
    if call.signature:
        start["reasoningSignature"] = call.signature
    yield {"contentBlockStart": {"start": {"toolUse": start}}}
    yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}}}
    yield {"contentBlockStop": {}}


def _is_possible(tool_choice: str | Mapping[str, Any] | None, specs: list[Spec]) -> bool:
    """Whether the choice can be made from `specs`: services refuse the name of a tool that is not offered."""
    if isinstance(tool_choice, Mapping):
        name = tool_choice.get("function", {}).get("name")
        return any(spec["name"] == name for spec in specs)
    return tool_choice is not None
