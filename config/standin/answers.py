"""The stand-in's answers: tool calls where a message fits a tool, and a text otherwise."""

from collections.abc import Sequence
from typing import Any

from config.standin import structured_output, tool_matching
from config.standin.serialization import Answer

NOTICE = (
    "This is the offline stand-in and no language model: it only matches words. "
    "Set OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL to use a real one."
)
_LONGEST_REQUEST = 4_000
"""Characters of a message that are matched. The rest is ignored, or a long one would take seconds."""
_LONGEST_QUOTE = 16_000
"""Characters of a tool's result that an answer repeats."""
_SYSTEM_ROLES = ("system", "developer")


def answer(body: dict[str, Any]) -> Answer:
    """Returns the answer to a chat completion request, which has at least one message."""
    messages = [message for message in body["messages"] if isinstance(message, dict)]
    results, request, tools = _results(messages), _last_request(messages), _functions(body)
    parallel = body.get("parallel_tool_calls") is not False
    # With results the tools have been called already: calling them again would never end.
    if not results and (calls := tool_matching.calls(request, tools, body.get("tool_choice"), parallel)):
        return Answer(calls=calls)
    text = structured_output.answer(body.get("response_format"), "\n".join(results) or request)
    if text is not None:
        return Answer(text)
    if results:
        return Answer("\n\n".join([*results, *_unavailable(messages), f"({NOTICE})"]))
    return Answer("\n\n".join([NOTICE, _no_match(request, tools), *_unavailable(messages)]))


def text_of(content: Any) -> str:
    """Returns the text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))


def _functions(body: dict[str, Any]) -> list[dict[str, Any]]:
    if body.get("tool_choice") == "none":
        return []
    return [tool["function"] for tool in body.get("tools") or [] if tool.get("type") == "function"]


def _last_request(messages: Sequence[dict[str, Any]]) -> str:
    requests = [text_of(message.get("content")) for message in messages if message.get("role") == "user"]
    return requests[-1][:_LONGEST_REQUEST] if requests else ""


def _results(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Returns one sentence for each tool result since the last message of the user."""
    names: dict[Any, str] = {}
    results: list[str] = []
    for message in messages:
        if message.get("role") == "user":
            results = []
        for call in message.get("tool_calls") or []:
            names[call.get("id")] = call.get("function", {}).get("name", "")
        if message.get("role") == "tool":
            name = names.get(message.get("tool_call_id"), "The tool")
            results.append(f"{name} answered: {text_of(message.get('content'))[:_LONGEST_QUOTE]}")
    return results


def _unavailable(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Returns the lines of the system prompt that name unavailable servers, as a model would mention them."""
    prompts = [
        text_of(message.get("content")) for message in messages if message.get("role") in _SYSTEM_ROLES
    ]
    lines = (line.strip() for prompt in prompts for line in prompt.splitlines())
    return [f"I was told: {line}" for line in lines if "unavailable" in line.lower()]


def _no_match(request: str, tools: Sequence[dict[str, Any]]) -> str:
    if not tools:
        return f"You said: {request}"
    names = ", ".join(tool["name"] for tool in tools[:20])
    return f"You said: {request}\nNo tool fits these words well enough. I was offered: {names}"
