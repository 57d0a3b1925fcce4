"""The response object. All of its fields are always there; what has no value is null."""

from typing import Any

from assistants.events import Usage
from assistants.openai_api.responses.request import FunctionTool, ResponseRequest, TextConfig


def new_resource(asked: ResponseRequest, *, model: str, response_id: str, created_at: int) -> dict[str, Any]:
    """`model` is who answers, whatever was asked for."""
    conversation_id = asked.conversation_id
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": bool(asked.background),
        "completed_at": None,
        "conversation": {"id": conversation_id} if conversation_id else None,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "max_tool_calls": None,
        "metadata": asked.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": asked.previous_response_id,
        "prompt": None,
        "prompt_cache_key": asked.prompt_cache_key,
        "prompt_cache_retention": None,
        "reasoning": {"effort": asked.reasoning.effort if asked.reasoning else None, "summary": None},
        "safety_identifier": asked.safety_identifier,
        "service_tier": "default",
        "store": asked.is_stored,
        "temperature": 1.0 if asked.temperature is None else asked.temperature,
        "text": _text(asked.text or TextConfig()),
        "tool_choice": _tool_choice(asked),
        "tools": [_tool(tool) for tool in asked.tools or ()],
        "top_logprobs": 0,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "truncation": asked.truncation or "disabled",
        "usage": None,
        "user": asked.user,
    }


def usage(event: Usage) -> dict[str, Any]:
    """What of it was cached or thought, LLM services tell in too many ways: 0."""
    return {
        "input_tokens": event.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": event.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": event.prompt_tokens + event.completion_tokens,
    }


def _text(asked: TextConfig) -> dict[str, Any]:
    shape = asked.format.model_dump(exclude_none=True, by_alias=True) if asked.format else {"type": "text"}
    return {"format": shape, "verbosity": asked.verbosity or "medium"}


def _tool_choice(asked: ResponseRequest) -> Any:
    choice = asked.tool_choice or "auto"
    return choice if isinstance(choice, str) else choice.model_dump()


def _tool(tool: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {},
        "strict": bool(tool.strict),
    }
