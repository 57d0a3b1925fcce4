"""The client of services with a protocol of their own, through the vendors' SDKs as Strands wraps them."""

import asyncio
import importlib
import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast

import orjson
from django.conf import settings
from strands.models.model import Model
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from assistants.agent.llm import errors, image_blocks
from assistants.agent.llm.client import Round
from assistants.agent.llm.completion import Completion
from assistants.agent.llm.egress_transport import EgressFilteredTransport
from assistants.agent.llm.tool_calls import ToolCall
from assistants.catalogue.endpoints import Endpoint
from assistants.errors import UpstreamFailed
from core.message import Message
from tools.outbound import egress
from tools.outbound.addresses import literal

log = logging.getLogger(__name__)

_ANTHROPIC_MAX_TOKENS = 4_096  # its API needs a limit and has no default
_HTTP: dict[str, Any] = {"follow_redirects": False, "headers": {"Connection": "close"}}
"""No redirects, which would bypass the egress filter. No reuse of connections: each client serves one run,
and nobody would close a connection that outlives it.
"""
_MOST_CAUSES = 5
_FINISH = {
    "max_tokens": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}


class VendorSDKClient:
    """`is_plain`: the service knows one type a schema."""

    takes_image_addresses = False

    def __init__(
        self, model: Model, name: str, base_url: str = "", *, kind: str = "", is_plain: bool = False
    ) -> None:
        self.model, self.kind = name, kind
        self.service = base_url or type(model).__name__
        self._strands_model = model
        self._base_url = base_url
        self._is_plain = is_plain

    async def answer(self, asked: Round, completion: Completion) -> None:
        """See LLMClient."""
        await _require_allowed(self._base_url, self.kind)
        specs = [spec.plain if self._is_plain else spec for spec in asked.specs]
        stream = self._strands_model.stream(
            image_blocks.without_details(asked.messages),
            cast(Any, specs) or None,
            asked.system_prompt,
            tool_choice=_choice(asked.tool_choice),
        )
        try:
            async with aclosing(cast(AsyncGenerator[Any, None], stream)) as events:
                async for event in events:
                    _feed(completion, event)
        except Exception as error:  # noqa: BLE001 - each SDK fails in its own way, and its words may hold our key
            trace = "" if _status(error) else f"\n{_trace(error)}"
            log.warning("The service of model %s failed: %s%s", self.model, type(error).__name__, trace)
            raise _failure(error) from None
        if completion.is_empty or not completion.is_complete:
            raise UpstreamFailed("upstream_error", Message("The language model's answer broke off."))


async def connect(endpoint: Endpoint, parameters: Mapping[str, Any]) -> VendorSDKClient:
    """Returns a client for one run. Raises UpstreamFailed where the vendor's package is not installed."""
    # In a thread: the first import of an SDK takes a second or more, and each client reads the CA bundle (30
    # ms). In the event loop all other runs would wait for that.
    model = await asyncio.to_thread(_model, endpoint, parameters)
    kind, is_plain = endpoint.kind, endpoint.kind == "gemini"
    return VendorSDKClient(model, endpoint.model, endpoint.base_url, kind=kind, is_plain=is_plain)


def _model(endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    module, name, build = _MODELS[endpoint.kind]
    try:
        model = getattr(importlib.import_module(module), name)
    except ImportError as error:
        log.error("Providers of kind %s need the extra mcp-connector[%s].", endpoint.kind, endpoint.kind)
        message = Message("This installation cannot speak to providers of kind %(kind)s.", kind=endpoint.kind)
        raise UpstreamFailed("upstream_error", message) from error
    return build(model, endpoint, parameters)


async def _require_allowed(base_url: str, kind: str) -> None:
    """Check the address before each call, so that a refusal is not taken for a failure of the SDK."""
    if not base_url:
        return
    try:
        target = egress.endpoint(base_url)
        await egress.addresses(target, exempt=_exempt())
        if kind == "bedrock":
            _require_certain(target, base_url)
    except OSError as error:
        message = Message("The language model's service cannot be reached.")
        raise UpstreamFailed("upstream_error", message) from error


def _exempt() -> list[egress.Endpoint]:
    return [egress.endpoint(settings.OPENAI_BASE_URL)]


def _require_certain(target: egress.Endpoint, base_url: str) -> None:
    """Raises AddressRefused for a name that may lead inside when boto3, which has no filter, looks it up.

    By https the certificate shows who answers, before anything is sent.
    """
    is_certain = base_url.lower().startswith("https:") or literal(target.host) is not None
    if not is_certain and target not in {*_exempt(), *egress.listed(egress.OPERATORS)}:
        log.warning("A provider of kind bedrock needs an address with https, or one in %s.", egress.OPERATORS)
        raise egress.AddressRefused


def _sampling(parameters: Mapping[str, Any], limit: str = "max_tokens") -> dict[str, Any]:
    """Returns the parameters that all vendors know, under Strands' names, without those of OpenAI alone."""
    stop = parameters.get("stop")
    named = {
        limit: parameters.get("max_tokens"),
        "temperature": parameters.get("temperature"),
        "top_p": parameters.get("top_p"),
        "stop_sequences": [stop] if isinstance(stop, str) else stop,
    }
    return {name: value for name, value in named.items() if value is not None}


def _anthropic(model: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    client = {
        "api_key": endpoint.api_key,
        "http_client": _http(),
        **_address("base_url", endpoint),
    }
    sampling = _sampling(parameters)
    limit = sampling.pop("max_tokens", _ANTHROPIC_MAX_TOKENS)
    return cast(Model, model(client_args=client, model_id=endpoint.model, max_tokens=limit, params=sampling))


def _bedrock(model: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    """Without a key of the provider, boto3 finds the usual credentials of the machine."""
    key = {"api_key": endpoint.api_key} if endpoint.api_key else {}
    address = _address("endpoint_url", endpoint)
    return cast(Model, model(model_id=endpoint.model, **address, **key, **_sampling(parameters)))


def _gemini(model: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    sampling = _sampling(parameters, "max_output_tokens")
    timeout_ms = int(settings.LLM_READ_TIMEOUT_S * 1000)
    options = {"httpx_async_client": _http(), "timeout": timeout_ms, **_address("base_url", endpoint)}
    client = {"api_key": endpoint.api_key, "http_options": options}
    return cast(Model, model(client_args=client, model_id=endpoint.model, params=sampling))


def _ollama(model: Any, endpoint: Endpoint, parameters: Mapping[str, Any]) -> Model:
    key = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    client = {
        "transport": EgressFilteredTransport(_exempt()),
        "timeout": settings.LLM_READ_TIMEOUT_S,
        **_HTTP,
        "headers": {**key, **_HTTP["headers"]},
    }
    host = endpoint.base_url or None
    sampling = _sampling(parameters)
    return cast(Model, model(host, ollama_client_args=client, model_id=endpoint.model, **sampling))


def _http() -> Any:
    """Returns the HTTP client for an SDK. httpx comes with the SDKs and is no dependency of ours."""
    client = importlib.import_module("httpx").AsyncClient
    return client(timeout=settings.LLM_READ_TIMEOUT_S, transport=EgressFilteredTransport(_exempt()), **_HTTP)


Build = Callable[[Any, Endpoint, Mapping[str, Any]], Model]
_MODELS: dict[str, tuple[str, str, Build]] = {
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


def _feed(completion: Completion, event: Mapping[str, Any]) -> None:
    # An answer of nothing but its beginning and its end is empty: some SDKs make one of garbage.
    completion.is_empty = completion.is_empty and not event.keys() & {"contentBlockDelta", "metadata"}
    match event:
        case {"contentBlockStart": {"start": {"toolUse": tool_use}}}:
            signature = tool_use.get("reasoningSignature", "")
            completion.begin_call(ToolCall(tool_use["name"], tool_use["toolUseId"], signature=signature))
        case {"contentBlockDelta": {"delta": {"toolUse": tool_use}}}:
            completion.add_arguments(tool_use["input"])
        case {"contentBlockDelta": {"delta": {"text": str(text)}}}:
            completion.add_text(text)
        case {"contentBlockDelta": {"delta": {"reasoningContent": {"text": str(text)}}}}:
            completion.add_reasoning(text)
        case {"messageStop": {"stopReason": str(reason)}}:
            completion.finish_reason, completion.is_complete = _FINISH.get(reason, "stop"), True
        case {"metadata": {"usage": usage}}:
            completion.tokens.add(
                {
                    "prompt_tokens": usage["inputTokens"],
                    "completion_tokens": usage["outputTokens"],
                    "cached_tokens": usage.get("cacheReadInputTokens"),
                }
            )


def _failure(error: Exception) -> UpstreamFailed:
    """Returns the error for an SDK's exception. Its text is searched and never shown: it may hold our key."""
    if isinstance(error, ContextWindowOverflowException):
        return errors.context_length_exceeded()
    if isinstance(error, ModelThrottledException):
        return errors.status_failure(429, {}, b"")
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return UpstreamFailed(
            "upstream_timeout", Message("The language model's service did not answer in time.")
        )
    if "API_KEY_INVALID" in str(getattr(error, "details", "")):  # Google's, under status 400
        return errors.status_failure(401, {}, b"")
    if status := _status(error):
        return errors.status_failure(status, {}, orjson.dumps({"message": str(error)}))
    return UpstreamFailed("upstream_error", Message("The connection to the language model's service broke."))


def _trace(error: BaseException) -> str:
    """Returns where an exception comes from, and what led to it. Their words are left out."""
    lines: list[str] = []
    seen: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if seen is None:
            break
        lines += [
            f"{type(seen).__module__}.{type(seen).__qualname__}\n",
            *traceback.format_tb(seen.__traceback__),
        ]
        seen = seen.__cause__ or seen.__context__
    return "".join(lines)


def _status(error: Any) -> int | None:
    """Returns the HTTP status, from where the SDKs of Anthropic and Ollama, Google, and Amazon have it."""
    response = getattr(error, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    given = (
        getattr(error, "status_code", None),
        getattr(error, "code", None),
        metadata.get("HTTPStatusCode"),
    )
    return next((status for status in given if isinstance(status, int)), None)
