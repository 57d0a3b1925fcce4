"""One turn of a model in Strands' shapes: an answer as events, with what its service attached to it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from strands.hooks import AfterModelCallEvent, HookProvider, HookRegistry
from strands.types.content import ContentBlock, ContentBlockStartToolUse, Message
from strands.types.streaming import StreamEvent

from assistants.agent.llm import attachments, call_ids
from assistants.agent.llm.chat_messages import reasoning_block
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.tool_calls import ToolCall
from assistants.agent.messages import tool_input


class Turn:
    """The last answer of a run's model. `calls`: those that are made."""

    def __init__(self, completion: Completion | None = None, calls: Sequence[ToolCall] = ()) -> None:
        self.completion = completion or Completion()
        self.calls = calls

    @property
    def has_attachments(self) -> bool:
        """Whether the service may want more of this turn back than its text and its calls."""
        completion = self.completion
        return bool(completion.attached or completion.reasoning) or any(map(_attached, self.calls))

    def events(self) -> Iterator[StreamEvent]:
        """Yields the answer in Strands' events: one block of reasoning and text, and one for each call."""
        text = self.completion.text or self.completion.refusal
        if self.completion.reasoning:
            delta: Any = {"reasoningContent": {"text": self.completion.reasoning}}
            yield {"contentBlockDelta": {"delta": delta}}
        if text:
            yield {"contentBlockDelta": {"delta": {"text": text}}}
        yield {"contentBlockStop": {}}
        for call in self.calls:
            yield from _tool_use(call)
        yield {"messageStop": {"stopReason": "tool_use" if self.calls else "end_turn"}}

    def attach_to(self, message: Message) -> None:
        """Add to Strands' message of this turn what its events have no place for."""
        blocks = message["content"]
        by_id = {call.id: call for call in self.calls}
        for index, block in enumerate(blocks):
            if "reasoningContent" in block:
                blocks[index] = reasoning_block(self.completion.reasoning, self.completion.reasoning_field)
            elif "toolUse" in block and block["toolUse"]["toolUseId"] in by_id:
                attachments.attach(block["toolUse"], _attached(by_id[block["toolUse"]["toolUseId"]]))
        if blocks:
            attachments.attach(blocks[-1], self.completion.attached)


class AttachToTurn(HookProvider):
    """Completes each message of the model by its attachments, which Strands' events cannot carry."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(AfterModelCallEvent, self._after_call)

    def _after_call(self, event: AfterModelCallEvent) -> None:
        if event.stop_response is not None:
            self._model.turn.attach_to(event.stop_response.message)


def texts(asked: Round) -> Iterator[str]:
    """Yields all texts that the model reads in a round, to estimate their tokens. Images have none."""
    yield asked.system_prompt or ""
    for spec in asked.specs:
        yield orjson.dumps(spec).decode()
    for message in asked.messages:
        yield from _block_texts(message["content"])


def _block_texts(blocks: Iterable[ContentBlock]) -> Iterator[str]:
    for block in blocks:
        if "text" in block:
            yield block["text"]
        elif "toolUse" in block:
            yield block["toolUse"]["name"] + orjson.dumps(block["toolUse"]["input"]).decode()
        elif "toolResult" in block:
            yield from (part["text"] for part in block["toolResult"]["content"] if "text" in part)


def written(completion: Completion) -> Iterator[str]:
    """Yields all texts that the model wrote."""
    yield from (completion.text, completion.reasoning, completion.refusal)
    for call in completion.calls:
        yield call.name + call.arguments


def _attached(call: ToolCall) -> dict[str, Any]:
    own_id = {} if call_ids.is_carried(call.id, call.upstream_id) else {"upstream_id": call.upstream_id}
    signature = {"reasoning_signature": call.signature} if call.signature else {}
    return {**call.attached, **own_id, **signature}


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
