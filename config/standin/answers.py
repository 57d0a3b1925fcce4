"""What the stand-in says: tool calls where the words of the user fit a tool, else an answer."""

from collections.abc import Sequence
from typing import Any

from config.standin import picking, structured
from config.standin.wire import Answer

NOTICE = (
    "This is the offline stand-in and no language model: it only matches words. "
    "Set OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL to use a real one."
)
_READ = 4_000  # characters of a message that are looked at
_QUOTED = 16_000  # characters of a tool's result that are repeated


def answer(body: dict[str, Any]) -> Answer:
    """`body` is a chat completion request with at least one message."""
    messages = [message for message in body["messages"] if isinstance(message, dict)]
    results, said, tools = _results(messages), _last_said(messages), _functions(body)
    parallel = body.get("parallel_tool_calls") is not False
    if not results and (calls := picking.calls(said, tools, body.get("tool_choice"), parallel)):
        return Answer(calls=calls)
    if (text := structured.answer(body.get("response_format"), "\n".join(results) or said)) is not None:
        return Answer(text)
    if results:
        return Answer("\n\n".join([*results, *_unavailable(messages), f"({NOTICE})"]))
    return Answer("\n\n".join([NOTICE, _no_match(said, tools), *_unavailable(messages)]))


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))


def _functions(body: dict[str, Any]) -> list[dict[str, Any]]:
    if body.get("tool_choice") == "none":
        return []
    return [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]


def _last_said(messages: Sequence[dict[str, Any]]) -> str:
    said = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
    return said[-1][:_READ] if said else ""


def _results(messages: Sequence[dict[str, Any]]) -> list[str]:
    """One sentence for each tool result since the user last spoke."""
    names: dict[Any, str] = {}
    results: list[str] = []
    for message in messages:
        if message.get("role") == "user":
            results = []
        for call in message.get("tool_calls") or []:
            names[call.get("id")] = call.get("function", {}).get("name", "")
        if message.get("role") == "tool":
            name = names.get(message.get("tool_call_id"), "The tool")
            results.append(f"{name} answered: {text_of(message.get('content'))[:_QUOTED]}")
    return results


def _unavailable(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The lines of the system prompt that tell of unavailable servers."""
    prompts = [text_of(message.get("content")) for message in messages if message.get("role") in _SYSTEM]
    lines = (line.strip() for prompt in prompts for line in prompt.splitlines())
    return [f"I was told: {line}" for line in lines if "unavailable" in line.lower()]


def _no_match(said: str, tools: Sequence[dict[str, Any]]) -> str:
    if not tools:
        return f"You said: {said}"
    names = ", ".join(tool["name"] for tool in tools[:20])
    return f"You said: {said}\nNo tool fits these words well enough. I was offered: {names}"


_SYSTEM = ("system", "developer")
