"""One turn of a model: an answer as a message, with what its service attached to it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from strands.types.content import ContentBlock, Message
from strands.types.tools import ToolUse

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

    def message(self) -> Message:
        """Returns the answer as Strands and `chat_messages` have it, with what its service attached to it."""
        completion, blocks = self.completion, list[ContentBlock]()
        if text := completion.text or completion.refusal:
            blocks.append({"text": text})
        if completion.reasoning:
            blocks.append(reasoning_block(completion.reasoning, completion.reasoning_field))
        # Nobody could answer a call without a name.
        blocks += [_tool_use(call) for call in self.calls if call.name]
        if blocks:
            attachments.attach(blocks[-1], completion.attached)
        return {"role": "assistant", "content": blocks}


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


def _tool_use(call: ToolCall) -> ContentBlock:
    tool_use: ToolUse = {"toolUseId": call.id, "name": call.name, "input": tool_input(call.arguments)}
    if call.signature:
        tool_use["reasoningSignature"] = call.signature
    attachments.attach(tool_use, _attached(call))
    return {"toolUse": tool_use}
