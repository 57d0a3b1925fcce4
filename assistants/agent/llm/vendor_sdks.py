"""Services with a protocol of their own, by their Strands providers: each imported only when used."""

import importlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

from django.conf import settings
from strands.models.model import Model
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from assistants.agent.llm import errors
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion, Delta, ToolCall
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from tools.outbound import egress

log = logging.getLogger(__name__)

_ANTHROPIC_NEEDS = 4_096  # tokens: its API has no default
_HTTP: dict[str, Any] = {"follow_redirects": False, "headers": {"Connection": "close"}}
"""A redirect would lead past the outbound guard. Nobody closes a connection that outlives its answer."""
_FINISH = {
    "max_tokens": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}


class NativeSource:
    def __init__(self, model: Model, name: str, base_url: str = "") -> None:
        self.model = name
        self._provider = model
        self._base_url = base_url

    async def answer(self, asked: Round, completion: Completion) -> AsyncGenerator[Delta, None]:
        await _require_allowed(self._base_url)
        stream = self._provider.stream(
            asked.messages,
            cast(Any, list(asked.specs)) or None,
            asked.system_prompt,
            tool_choice=_choice(asked.tool_choice),
        )
        try:
            async with aclosing(cast(AsyncGenerator[Any, None], stream)) as events:
                async for event in events:
                    if delta := _taken(event, completion):
                        yield delta
        except Exception as error:  # noqa: BLE001 - each SDK fails in its own way, and its words may hold our key
            log.warning("The service of model %s failed: %s", self.model, type(error).__name__)
            raise _failure(error) from None
        if completion.is_empty or not completion.is_complete:
            raise UpstreamFailed("upstream_error", "The language model's answer broke off.")


def connect(endpoint: Endpoint, parameters: Mapping[str, Any]) -> NativeSource:
    """Raises UpstreamFailed where the provider's package is not installed."""
    module, name, build = _PROVIDERS[endpoint.kind]
    try:
        provider = getattr(importlib.import_module(module), name)
    except ImportError as error:
        log.error("Providers of kind %s need the extra mcp-connector[%s].", endpoint.kind, endpoint.kind)
        message = f"This installation cannot speak to providers of kind {endpoint.kind}."
        raise UpstreamFailed("upstream_error", message) from error
    return NativeSource(build(provider, endpoint, parameters), endpoint.model, endpoint.base_url)


async def _require_allowed(base_url: str) -> None:
    """The SDKs bring connections of their own, which the outbound guard does not see: it is asked before."""
    if not base_url:
        return
    try:
        exempt = [egress.endpoint(settings.OPENAI_BASE_URL)]
        await egress.addresses(egress.endpoint(base_url), exempt=exempt)
    except OSError as error:
        message = "The language model's service cannot be reached."
        raise UpstreamFailed("upstream_error", message) from error


def _sampling(parameters: Mapping[str, Any], limit: str = "max_tokens") -> dict[str, Any]:
    """What all of them know, under their names; what only OpenAI's protocol has is left out."""
    stop = parameters.get("stop")
    named = {
        limit: parameters.get("max_tokens"),
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "stop_sequences": [stop] if isinstance(stop, str) else stop,
    }
    return {name: value for name, value in named.items() if value is not None}


def _anthropic(provider: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    client = {
        "api_key": endpoint.api_key,
        "http_client": _http(),
        **_address("base_url", endpoint),
    }
    sampling = _sampling(parameters)
    limit = sampling.pop("max_tokens", _ANTHROPIC_NEEDS)
    return cast(
        Model, provider(client_args=client, model_id=endpoint.model, max_tokens=limit, params=sampling)
    )


def _bedrock(provider: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    """Without a key of its own the usual credentials of the machine are used."""
    key = {"api_key": endpoint.api_key} if endpoint.api_key else {}
    address = _address("endpoint_url", endpoint)
    return cast(Model, provider(model_id=endpoint.model, **address, **key, **_sampling(parameters)))


def _gemini(provider: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    sampling = _sampling(parameters, "max_output_tokens")
    timeout_ms = int(settings.LLM_READ_TIMEOUT_S * 1000)
    options = {"httpx_async_client": _http(), "timeout": timeout_ms, **_address("base_url", endpoint)}
    client = {"api_key": endpoint.api_key, "http_options": options}
    return cast(Model, provider(client_args=client, model_id=endpoint.model, params=sampling))


def _ollama(provider: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    key = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    client = {**_HTTP, "headers": {**key, **_HTTP["headers"]}, "timeout": settings.LLM_READ_TIMEOUT_S}
    host = endpoint.base_url or None
    sampling = _sampling(parameters)
    return cast(Model, provider(host, ollama_client_args=client, model_id=endpoint.model, **sampling))


def _http() -> Any:
    """What the SDKs connect with: it comes with them."""
    return importlib.import_module("httpx").AsyncClient(timeout=settings.LLM_READ_TIMEOUT_S, **_HTTP)


Build = Callable[[Any, Endpoint, Mapping[str, Any]], Model]
_PROVIDERS: dict[str, tuple[str, str, Build]] = {
    "anthropic": ("strands.models.anthropic", "AnthropicModel", _anthropic),
    "bedrock": ("strands.models.bedrock", "BedrockModel", _bedrock),
    "gemini": ("strands.models.gemini", "GeminiModel", _gemini),
    "ollama": ("strands.models.ollama", "OllamaModel", _ollama),
}


def _address(name: str, endpoint: Endpoint) -> dict[str, str]:
    return {name: endpoint.base_url} if endpoint.base_url else {}


def _choice(choice: str | Mapping[str, Any] | None) -> Any:
    if isinstance(choice, Mapping):
        return {"tool": {"name": choice["function"]["name"]}}
    return {"any": {}} if choice == "required" else None


def _taken(event: Mapping[str, Any], completion: Completion) -> Delta | None:
    """An answer of nothing but its beginning and its end is empty: some SDKs make one of garbage."""
    completion.is_empty = completion.is_empty and not event.keys() & {"contentBlockDelta", "metadata"}
    match event:
        case {"contentBlockStart": {"start": {"toolUse": tool_use}}}:
            signature = tool_use.get("reasoningSignature", "")
            completion.calls.append(ToolCall(tool_use["name"], tool_use["toolUseId"], signature=signature))
        case {"contentBlockDelta": {"delta": {"toolUse": tool_use}}}:
            completion.calls[-1].parts.append(tool_use["input"])
        case {"contentBlockDelta": {"delta": {"text": str(text)}}}:
            return Delta(text=text)
        case {"contentBlockDelta": {"delta": {"reasoningContent": {"text": str(text)}}}}:
            return Delta(reasoning=text)
        case {"messageStop": {"stopReason": str(reason)}}:
            completion.finish_reason, completion.is_complete = _FINISH.get(reason, "stop"), True
        case {"metadata": {"usage": usage}}:
            completion.prompt_tokens = usage["inputTokens"]
            completion.completion_tokens = usage["outputTokens"]
    return None


def _failure(error: Exception) -> UpstreamFailed:
    """By kind and status alone."""
    if isinstance(error, ContextWindowOverflowException):
        return UpstreamFailed(
            "context_length_exceeded", "The conversation is longer than the model can take."
        )
    if isinstance(error, ModelThrottledException):
        return errors.status_failure(429, {}, b"")
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return UpstreamFailed("upstream_timeout", "The language model's service did not answer in time.")
    if "API_KEY_INVALID" in str(getattr(error, "details", "")):  # Google's, under status 400
        return errors.status_failure(401, {}, b"")
    if status := _status(error):
        return errors.status_failure(status, {}, b"")
    return UpstreamFailed("upstream_error", "The connection to the language model's service broke.")


def _status(error: Any) -> int | None:
    """As the SDKs of Anthropic and Ollama, Google, and Amazon tell it."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    given = (
        getattr(error, "status_code", None),
        getattr(error, "code", None),
        metadata.get("HTTPStatusCode"),
    )
    return next((status for status in given if isinstance(status, int)), None)
