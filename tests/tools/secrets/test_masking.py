import time

import pytest
from django.core.exceptions import ValidationError

from tools.secrets.detection import is_placeholder, is_secret_name, looks_secret
from tools.secrets.masking import masked_args, masked_url, unmasked_args, unmasked_url

M = "********"


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["--api-key", "abc"], ["--api-key", M]),
        (["--api-key=abc", "-v"], [f"--api-key={M}", "-v"]),
        (["-e", "GITHUB_TOKEN=abc"], ["-e", f"GITHUB_TOKEN={M}"]),
        (["--header", "Authorization: Bearer abc"], ["--header", f"Authorization: {M}"]),
        (["--header", "Authorization:${AUTH}"], ["--header", "Authorization:${AUTH}"]),
        (["postgresql://me:abc@db/x"], [f"postgresql://me:{M}@db/x"]),
        (["sk-proj-abcdefghijkl"], [M]),
        (["--db=postgresql://me:abc@db/x"], [f"--db=postgresql://me:{M}@db/x"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
        (["-y", "@scope/server-everything@2026.8.31"], ["-y", "@scope/server-everything@2026.8.31"]),
        (["--local-timezone=Asia/Shanghai"], ["--local-timezone=Asia/Shanghai"]),
        (["/home/me/Documents", "--max_tokens=5"], ["/home/me/Documents", "--max_tokens=5"]),
    ],
)
def test_what_looks_secret_in_arguments_is_masked_and_comes_back(args: list[str], shown: list[str]) -> None:
    assert masked_args(args) == shown
    assert unmasked_args(shown, args) == args


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/mcp", "https://a.example/mcp"),
        ("https://a.example/mcp?api_key=abc&x=1", f"https://a.example/mcp?api_key={M}&x=1"),
        ("https://me:abc@a.example/", f"https://me:{M}@a.example/"),
        ("https://abc@a.example/", f"https://{M}@a.example/"),
        ("https://a.example/s/aB3dE5fG7hI9jK1lM3nO/mcp", f"https://a.example/s/{M}/mcp"),
        ("https://a.example/#access_token=abc", f"https://a.example/#access_token={M}"),
    ],
)
def test_what_looks_secret_in_a_url_is_masked_and_comes_back(url: str, shown: str) -> None:
    assert masked_url(url) == shown
    assert unmasked_url(shown, url) == url


def test_masked_arguments_may_move_but_not_change_their_option() -> None:
    stored = ["--token", "one", "--password", "two"]
    assert unmasked_args(["-v", "--password", M, "--token", M], stored) == [
        "-v",
        "--password",
        "two",
        "--token",
        "one",
    ]
    with pytest.raises(ValidationError):
        unmasked_args(["--print", M], stored)


@pytest.mark.parametrize(
    "name", ["API_KEY", "apiKey", "X-Api-Key", "Authorization", "DB_PASSWORD", "--token", "GH_PAT"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["LOG_LEVEL", "--author", "TIMEZONE", "path", "monkey_count", "--max-tokens"]
)
def test_names_of_settings_that_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "value", ["${input:key}", "<your-key>", "YOUR_API_KEY", "xxxx", "${TOKEN}", "********"]
)
def test_placeholders_are_no_secrets(value: str) -> None:
    assert is_placeholder(value)
    assert not looks_secret(value)


@pytest.mark.parametrize("value", ["mysecretpassword", "yourself", "replaced", "changeling"])
def test_secrets_that_begin_like_placeholders_are_secrets(value: str) -> None:
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    "text", ["your" + "_a" * 20_000 + "!", "a" * 30_000, "-" * 30_000, "aA1" * 10_000 + "!", "?" * 30_000]
)
def test_detection_takes_linear_time(text: str) -> None:
    started = time.process_time()
    masked_args([text, f"--{text}={text}", f"https://{text}?{text}={text}"])
    assert time.process_time() - started < 1
