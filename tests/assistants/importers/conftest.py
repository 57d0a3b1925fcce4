"""The environment that references of imported files are filled from."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    # Of the installation, which its providers at OpenAI may have.
    settings.OPENAI_API_KEY = "canary-of-the-environment"
    for name in (
        "GITHUB_TOKEN",
        "GITHUB_PAT",
        "VLLM_BASE",
        "AMAP_KEY",
        "MY_KEY",
        "LEGACY_KEY",
        "MISTRAL_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
