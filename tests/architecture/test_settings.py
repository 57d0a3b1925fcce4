"""The settings, their documentation and .env.sample name the same variables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BY_THE_RUNNER = {"HOST", "PORT"}
FOR_COMPOSE = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}


def in_settings() -> set[str]:
    source = (ROOT / "config" / "settings.py").read_text()
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)) | BY_THE_RUNNER


def in_documentation() -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def in_sample() -> set[str]:
    return set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.sample").read_text(), re.MULTILINE)) - FOR_COMPOSE


@pytest.mark.parametrize("described", [in_documentation, in_sample])
def test_every_setting_is_described_and_nothing_else(described: object) -> None:
    assert described() == in_settings()  # type: ignore[operator]


def test_the_settings_of_the_order_are_there() -> None:
    ordered = {
        "DATABASE_URL",
        "OPENAI_API_KEY",
        "STRANDS_API_KEY",
        "LOG_LEVEL",
        "CORS_ORIGINS",
        "MAX_DB_CONNECTIONS",
    }
    assert ordered <= in_settings()
