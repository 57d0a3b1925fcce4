"""The response object. It always has all of its fields: SDKs expect null, not absence."""

from typing import Any

from assistants.events import Usage
from assistants.openai_api.responses.request import ReasoningConfig, ResponseRequest, TextConfig
from assistants.openai_api.responses.tools import FunctionTool, OtherTool, Tool


def new_resource(params: ResponseRequest, *, model: str, response_id: str, created_at: int) -> dict[str, Any]:
    """`model` is the assistant that answers, which the model `auto` leaves open."""
    conversation_id = params.conversation_id
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": bool(params.background),
        "completed_at": None,
        "conversation": {"id": conversation_id} if conversation_id else None,
        "error": None,
        "frequency_penalty": params.frequency_penalty or 0.0,
        "incomplete_details": None,
        "instructions": params.instructions,
        "max_output_tokens": params.max_output_tokens,
        "max_tool_calls": params.max_tool_calls,
        "metadata": params.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": params.parallel_tool_calls is not False,
        "presence_penalty": params.presence_penalty or 0.0,
        "previous_response_id": params.previous_response_id,
        "prompt": None,
        "prompt_cache_key": params.prompt_cache_key,
        "prompt_cache_retention": params.prompt_cache_retention,
        "reasoning": _reasoning(params.reasoning or ReasoningConfig()),
        "safety_identifier": params.safety_identifier,
        "service_tier": params.service_tier if params.service_tier not in (None, "auto") else "default",
        "store": params.is_stored,
        "temperature": 1.0 if params.temperature is None else params.temperature,
        "text": _text(params.text or TextConfig()),
        "tool_choice": _tool_choice(params),
        "tools": [_tool(tool) for tool in params.tools or () if not isinstance(tool, OtherTool)],
        "top_logprobs": 0,
        "top_p": 1.0 if params.top_p is None else params.top_p,
        "truncation": params.truncation or "disabled",
        "usage": None,
        "user": params.user,
    }


def usage(event: Usage) -> dict[str, Any]:
    """Returns OpenAI's usage object. A detail that the LLM service does not report is 0."""
    cached, written = (event.prompt_details.get(name, 0) for name in ("cached_tokens", "cache_write_tokens"))
    return {
        "input_tokens": event.prompt_tokens,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": event.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": event.completion_details.get("reasoning_tokens", 0)},
        "total_tokens": event.prompt_tokens + event.completion_tokens,
    }


def added(usage: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Returns the sum of two usage objects."""
    return {
        name: added(value, before[name]) if isinstance(value, dict) else value + before[name]
        for name, value in usage.items()
    }


def _reasoning(config: ReasoningConfig) -> dict[str, Any]:
    return {"effort": config.effort, "summary": config.summary or config.generate_summary}


def _text(params: TextConfig) -> dict[str, Any]:
    shape = params.format.model_dump(exclude_none=True, by_alias=True) if params.format else {"type": "text"}
    return {"format": shape, "verbosity": params.verbosity or "medium"}


def _tool_choice(params: ResponseRequest) -> Any:
    choice = params.tool_choice or "auto"
    return choice if isinstance(choice, str) else choice.model_dump(exclude_none=True)


def _tool(tool: Tool) -> dict[str, Any]:
    if not isinstance(tool, FunctionTool):
        return tool.model_dump(exclude_none=True)
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {},
        "strict": bool(tool.strict),
    }
