"""What is kept out of files as it may be a secret, and what is plainly none."""

import pytest

from tools.secrets.detection import may_be_secret


@pytest.mark.parametrize(
    "text",
    [
        "hunter2-Passw0rd!", "--password2=Tr0ub4dor", "-pPassw0rd1x", "4f3a2b1c9d8e7f6a",
        "https://m.example.com/u/0123456789abcdef01234567/mcp",
        "https://m.example.com/550e8400-e29b-41d4-a716-446655440000",
        "x-customer: 4f3a2b1c9d8e7f6a", "x-customer:4f3a2b1c9d8e7f6a", '{"customer":"4f3a2b1c9d8e7f6a"}',
        "https://m.example.com/mcp?p=aB3dE5gH", "user:aB3dE5gH",
    ],
)  # fmt: skip
def test_what_mixes_letters_and_digits_may_be_one(text: str) -> None:
    assert may_be_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "-y", "mcp-server-time@2026.7.10", "@modelcontextprotocol/server-filesystem@2025.8.21",
        "/data/Projects2026", "https://mcp.example.com:8443/v1/mcp", "--log-level=INFO", "localhost:8080",
        "2026-11-30T19:00:00Z", "ghcr.io/github/github-mcp-server", "--key=${TOKEN_2aB3dE5g}",
        "1234567890123456", "2026-11-30-190000-0000", "feed-beef-dead-face-cafe",
        f"ghcr.io/github/github-mcp-server@sha256:{'0a1b2c3d' * 8}",
    ],
)  # fmt: skip
def test_names_paths_versions_and_references_are_none(text: str) -> None:
    assert not may_be_secret(text)
