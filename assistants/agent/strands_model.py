"""Strands' view of a run's LLM: counted, with a second service where the first one fails."""

import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NoReturn, cast

import orjson
from strands.models.model import Model
from strands.types.content import ContentBlockStartToolUse, Messages
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolSpec

from assistants.agent.llm.client import Round, Source
from assistants.agent.llm.completion import Completion, Delta, ToolCall
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
    """Counts what the run costs. Offers tools for `max_rounds` rounds; in one more the model must answer.

    Where a source fails before it said anything, the next one is asked, from then on alone.
    """

    def __init__(
        self, *sources: Source, tool_choice: str | Mapping[str, Any] | None, max_rounds: int
    ) -> None:
        self.rounds = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.finish_reason: FinishReason = "stop"
        self.calls: Sequence[ToolCall] = ()
        """Of the last round."""
        self.reasoning_field = "reasoning_content"
        self._sources = sources
        self._tool_choice = tool_choice
        self._max_rounds = max_rounds

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        **_: Any,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Raises UpstreamFailed."""
        self.rounds += 1
        specs = cast(list[Spec], tool_specs or []) if self.rounds <= self._max_rounds else []
        choice = self._tool_choice if self.rounds == 1 and _is_possible(self._tool_choice, specs) else None
        asked = Round(messages, system_prompt, specs, choice, self.reasoning_field)
        yield {"messageStart": {"role": "assistant"}}
        completion: Completion | None = None
        while completion is None:
            completion, was_told = Completion(), False
            try:
                async with aclosing(self._sources[0].answer(asked, completion)) as deltas:
                    async for delta in deltas:
                        for event in _told(delta):
                            was_told = True
                            yield event
            except UpstreamFailed as failure:
                if was_told:
                    raise
                self._give_up(failure)
                completion = None
        yield {"contentBlockStop": {}}
        self._settle(completion, may_call=bool(specs))
        for call in self.calls:
            for event in _tool_use(call):
                yield event
        yield {"messageStop": {"stopReason": "tool_use" if self.calls else "end_turn"}}

    @property
    def offers_tools(self) -> bool:
        """Whether the next round does."""
        return self.rounds < self._max_rounds

    def withdraw_tools(self) -> None:
        """From now on the model must answer."""
        self._max_rounds = 0

    def _give_up(self, failure: UpstreamFailed) -> None:
        """Go on to the next source. Raises the failure where there is none, or none may help."""
        if len(self._sources) == 1 or failure.code == "context_length_exceeded":
            raise failure
        failed, following = self._sources[0], self._sources[1:]
        log.warning("Model %s failed (%s): asking %s.", failed.model, failure.code, following[0].model)
        self._sources = following

    def _settle(self, completion: Completion, *, may_call: bool) -> None:
        """Take the round's outcome. Calls of an answer that was cut are not made: so were their arguments."""
        self.finish_reason = _FINISH_REASONS.get(completion.finish_reason or "", "stop")
        self.calls = completion.calls if may_call and self.finish_reason == "stop" else ()
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens
        self.reasoning_field = completion.reasoning_field

    async def count_tokens(self, *_: Any, **__: Any) -> int:
        """Strands asks before each call, for conversation managers that are not used here."""
        return 0

    def get_config(self) -> dict[str, Any]:
        return {"model_id": self._sources[0].model}

    def update_config(self, **model_config: Any) -> NoReturn:
        raise NotImplementedError("A model is made for one run.")

    def structured_output(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("A response format goes through to the upstream.")


def _told(delta: Delta) -> Iterator[StreamEvent]:
    if delta.reasoning:
        yield {"contentBlockDelta": {"delta": {"reasoningContent": {"text": delta.reasoning}}}}
    if delta.text:
        yield {"contentBlockDelta": {"delta": {"text": delta.text}}}


def _tool_use(call: ToolCall) -> Iterator[StreamEvent]:
    """Strands parses the input: JSON always, an object or (see `tool_input`) a string."""
    text = orjson.dumps(tool_input(call.arguments)).decode()
    start: ContentBlockStartToolUse = {"name": call.name, "toolUseId": call.id}
    if call.signature:
        start["reasoningSignature"] = call.signature
    yield {"contentBlockStart": {"start": {"toolUse": start}}}
    yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}}}
    yield {"contentBlockStop": {}}


def _is_possible(tool_choice: str | Mapping[str, Any] | None, specs: list[Spec]) -> bool:
    if isinstance(tool_choice, Mapping):
        name = tool_choice.get("function", {}).get("name")
        return any(spec["name"] == name for spec in specs)
    return tool_choice is not None
