"""Strands' view of an OpenAI-compatible LLM, for one run."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NoReturn, cast

import orjson
from strands.models.model import Model
from strands.types.content import Messages
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolSpec

from assistants.agent.completion import Completion, ToolCall
from assistants.agent.history import tool_input
from assistants.agent.tools import Spec
from assistants.agent.upstream import Upstream
from assistants.agent.wire import to_wire
from assistants.catalogue import Endpoint
from assistants.errors import UpstreamFailed
from assistants.events import FinishReason

_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
}


class OpenAICompatibleModel(Model):
    """Counts what the run costs. Offers tools for `max_rounds` rounds; in one more the model must answer."""

    def __init__(
        self,
        upstream: Upstream,
        endpoint: Endpoint,
        *,
        parameters: Mapping[str, Any],
        tool_choice: str | Mapping[str, Any] | None,
        max_rounds: int,
    ) -> None:
        self.rounds = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.finish_reason: FinishReason = "stop"
        self.calls: Sequence[ToolCall] = ()
        """Of the last round."""
        self._upstream = upstream
        self._endpoint = endpoint
        self._parameters = parameters
        self._tool_choice = tool_choice
        self._max_rounds = max_rounds
        self.reasoning_field = "reasoning_content"

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
        wire = to_wire(messages, system_prompt, self.reasoning_field)
        completion = Completion()
        yield {"messageStart": {"role": "assistant"}}
        async with aclosing(self._answer(completion, self._body(wire, specs))) as deltas:
            async for delta in deltas:
                yield delta
        yield {"contentBlockStop": {}}
        self._settle(completion, may_call=bool(specs))
        for call in self.calls:
            for event in _tool_use(call):
                yield event
        yield {"messageStop": {"stopReason": "tool_use" if self.calls else "end_turn"}}

    def withdraw_tools(self) -> None:
        """From now on the model must answer."""
        self._max_rounds = 0

    def _body(self, messages: list[dict[str, Any]], specs: list[Spec]) -> bytes:
        body = {
            **self._parameters,
            "model": self._endpoint.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if specs:
            body["tools"] = [spec.definition for spec in specs]
            if self.rounds == 1 and _is_possible(self._tool_choice, specs):
                body["tool_choice"] = self._tool_choice
        else:  # OpenAI refuses an empty list, and this without tools
            body.pop("parallel_tool_calls", None)
        return orjson.dumps(body)

    async def _answer(self, completion: Completion, body: bytes) -> AsyncGenerator[StreamEvent, None]:
        try:
            async with aclosing(self._upstream.stream(self._endpoint, body)) as batches:
                async for payloads in batches:
                    for event in _deltas(completion, payloads):
                        yield event
        except UpstreamFailed:
            if completion.finish_reason is None:
                raise
        if not completion.is_complete:
            _raise_truncated(completion)

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
        return {"model_id": self._endpoint.model}

    def update_config(self, **model_config: Any) -> NoReturn:
        raise NotImplementedError("A model is made for one run.")

    def structured_output(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("A response format goes through to the upstream.")


def _deltas(completion: Completion, payloads: list[bytes]) -> Iterator[StreamEvent]:
    for payload in payloads:
        delta = completion.feed(payload)
        if delta.reasoning:
            yield {"contentBlockDelta": {"delta": {"reasoningContent": {"text": delta.reasoning}}}}
        if delta.text:
            yield {"contentBlockDelta": {"delta": {"text": delta.text}}}


def _tool_use(call: ToolCall) -> Iterator[StreamEvent]:
    """Strands parses the input: JSON always, an object or (see `tool_input`) a string."""
    text = orjson.dumps(tool_input(call.arguments)).decode()
    yield {"contentBlockStart": {"start": {"toolUse": {"name": call.name, "toolUseId": call.id}}}}
    yield {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}}}
    yield {"contentBlockStop": {}}


def _is_possible(tool_choice: str | Mapping[str, Any] | None, specs: list[Spec]) -> bool:
    if isinstance(tool_choice, Mapping):
        name = tool_choice.get("function", {}).get("name")
        return any(spec["name"] == name for spec in specs)
    return tool_choice is not None


def _raise_truncated(completion: Completion) -> NoReturn:
    if completion.is_empty:
        message = "The language model's service did not answer with a completion."
        raise UpstreamFailed("upstream_invalid_response", message)
    raise UpstreamFailed("upstream_error", "The language model's answer broke off.")
