"""The order of a conversation: tool messages answer each tool call before any other message comes."""

from collections.abc import Sequence

from assistants.openai_api.messages import AssistantMessage, Message, ToolMessage
from assistants.openai_api.validation import MOST_MESSAGES
from core.errors import InvalidRequest


def check(messages: Sequence[Message]) -> None:
    """Raises InvalidRequest, whose `param` names the message.

    A conversation that ends in tool calls is refused: the agent would make them without asking a model.
    """
    if not messages:
        raise _invalid("messages", "At least one message is needed.", code="invalid_value")
    if len(messages) > MOST_MESSAGES:
        raise _invalid("messages", f"At most {MOST_MESSAGES:,} messages are read.", code="too_many_messages")
    calls = _OpenCalls()
    for index, message in enumerate(messages):
        calls.follow(message, index)
    calls.require_none()


class _OpenCalls:
    """The calls of the last assistant message, as far as they wait for their results."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.answered: set[str] = set()
        self.path = ""

    def follow(self, message: Message, index: int) -> None:
        if isinstance(message, ToolMessage):
            self._answer(message.tool_call_id, f"messages[{index}]")
            return
        self.require_none()
        self.answered.clear()
        if isinstance(message, AssistantMessage):
            self._open(message, f"messages[{index}]")

    def require_none(self) -> None:
        if self.waiting:
            missing = ", ".join(sorted(self.waiting))
            message = (
                f"Each tool call must be followed by a tool message with its result. Without one: {missing}."
            )
            raise _invalid(f"{self.path}.tool_calls", message)

    def _open(self, message: AssistantMessage, path: str) -> None:
        self.path = path
        for index, call in enumerate(message.tool_calls or ()):
            if call.id in self.waiting:
                raise _invalid(f"{path}.tool_calls[{index}].id", "Two tool calls have the same id.")
            self.waiting.add(call.id)
        if message.content is None and not message.tool_calls and not message.refusal:
            raise _invalid(path, "An assistant message needs content, a refusal or tool calls.")

    def _answer(self, call_id: str, path: str) -> None:
        if call_id in self.answered:
            raise _invalid(f"{path}.tool_call_id", "This tool call has a result already.")
        if call_id not in self.waiting:
            raise _invalid(
                f"{path}.tool_call_id", "No tool call with this id comes right before the message."
            )
        self.waiting.remove(call_id)
        self.answered.add(call_id)


def _invalid(param: str, message: str, *, code: str = "invalid_messages") -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {message}", param=param, code=code)
