from typing import Any

import pytest

from assistants.agent.llm.sampling import sampling
from assistants.catalogue.endpoints import Endpoint

LOCAL = Endpoint("http://127.0.0.1:11434/v1", "", "m")


@pytest.mark.parametrize(
    ("own", "asked", "sent"),
    [
        ({}, {}, {}),
        ({"temperature": 0.1}, {}, {"temperature": 0.1}),
        ({"temperature": 0.1}, {"temperature": 0.9}, {"temperature": 0.9}),
        ({"temperature": 0.1}, {"temperature": None}, {"temperature": 0.1}),
        ({"extra": {"top_k": 4}, "top_p": 1}, {}, {"top_k": 4, "top_p": 1}),
        ({"max_tokens": 9}, {}, {"max_tokens": 9}),
        ({"max_tokens": 9}, {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ],
)
def test_the_request_overrides_the_assistant(own: Any, asked: Any, sent: dict[str, Any]) -> None:
    assert sampling(own, asked, LOCAL) == sent


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://localhost:11434/v1", "max_tokens"),
        ("https://api.openai.com.example/v1", "max_tokens"),
    ],
)
def test_the_limit_goes_by_the_name_that_the_service_knows(base_url: str, name: str) -> None:
    endpoint = Endpoint(base_url, "", "m")
    assert sampling({}, {"max_completion_tokens": 5}, endpoint) == {name: 5}
