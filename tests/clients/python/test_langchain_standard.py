"""LangChain's own tests of chat models, through ChatOpenAI, on an assistant whose LLM goes by the words."""

import base64
from types import SimpleNamespace
from typing import Any

import product
import pytest
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests, chat_models

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MODEL, OTHER = product.assistant(), product.assistant()


@pytest.fixture(autouse=True)
def _pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the internet, from where the tests would fetch one."""
    picture = SimpleNamespace(get=lambda *_, **__: SimpleNamespace(content=PNG))
    monkeypatch.setattr(chat_models, "httpx", picture)


class TestChatOpenAI(ChatModelIntegrationTests):
    chat_model_class = ChatOpenAI
    chat_model_params: dict[str, Any] = {
        "model": MODEL,
        "api_key": product.KEY,
        "base_url": product.URL,
        "max_retries": 0,
        "timeout": 20,
        "stream_usage": True,
    }
    has_structured_output = True
    model_override_value = OTHER
    supports_anthropic_inputs = True
    supports_image_inputs = True
    supports_image_tool_message = True
    supports_json_mode = True
    supports_model_override = True
