"""Which provider a model of LiteLLM is at: the part of its name before the first slash says so."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """`variable`: from which LiteLLM takes the key where the file has none."""

    title: str
    kind: str = "openai"
    base_url: str = ""
    variable: str = ""


SERVICES = {
    "openai": Service("OpenAI", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "text-completion-openai": Service("OpenAI", "openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": Service("Anthropic", "anthropic", "", "ANTHROPIC_API_KEY"),
    "bedrock": Service("Amazon Bedrock", "bedrock"),
    "gemini": Service("Google Gemini", "gemini", "", "GEMINI_API_KEY"),
    "ollama": Service("Ollama", "ollama", "http://localhost:11434"),
    "ollama_chat": Service("Ollama", "ollama", "http://localhost:11434"),
    "azure": Service("Azure OpenAI", variable="AZURE_API_KEY"),
    "groq": Service("Groq", "openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": Service("Mistral", "openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": Service("DeepSeek", "openai", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "openrouter": Service("OpenRouter", "openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "together_ai": Service("Together AI", "openai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    "xai": Service("xAI", "openai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "fireworks_ai": Service(
        "Fireworks AI", "openai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"
    ),
    "perplexity": Service("Perplexity", "openai", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    "cerebras": Service("Cerebras", "openai", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nvidia_nim": Service(
        "NVIDIA NIM", "openai", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"
    ),
    "hosted_vllm": Service("vLLM"),
    "lm_studio": Service("LM Studio"),
    "litellm_proxy": Service("LiteLLM proxy"),
    "openai_like": Service("OpenAI-compatible"),
    "custom_openai": Service("OpenAI-compatible"),
}
"""Those of LiteLLM's providers that this product speaks to, by their prefix."""
_KNOWN_NAMES = {
    "gpt-": "openai", "chatgpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai",
    "claude-": "anthropic",
}  # fmt: skip
"""Beginnings of names that LiteLLM knows without a prefix."""


def service_of(model: str, given: str) -> tuple[Service | None, str]:
    """Returns the service of a model and the model's name there. `given`: `custom_llm_provider`.

    None where this product speaks to no such service.
    """
    prefix, slash, rest = model.partition("/")
    if given:
        return SERVICES.get(given), rest if slash and prefix == given else model
    if slash and prefix in SERVICES:
        return SERVICES[prefix], rest
    known = next((name for start, name in _KNOWN_NAMES.items() if model.startswith(start)), "")
    return SERVICES.get(known) if not slash else None, model
