"""Secrets in texts are masked by their form, what is none stays, and no text takes long."""

import random
import string
import time

import pytest

from assistants.filtering.secret_texts import _rules, mask_secrets

_seeded = random.Random(5)


def some(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(_seeded.choice(alphabet) for _ in range(count))


UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + some(64) + "\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "github-pat": "ghp_" + some(36),
    "github-fine-grained-pat": "github_pat_" + some(82),
    "gitlab-pat": "glpat-" + some(20),
    "slack-bot-token": f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
    "aws-access-token": "AKIA" + some(16, UPPER),
    "gcp-api-key": "AIza" + some(35),
    "stripe-access-token": "sk_live_" + some(24),
    "anthropic-api-key": f"sk-ant-api03-{some(93)}AA",
    "openai-api-key": f"sk-proj-{some(74)}T3BlbkFJ{some(74)}",
    "npm-access-token": "npm_" + some(36, string.ascii_lowercase + string.digits),
    "huggingface-access-token": "hf_" + some(34, string.ascii_letters),
    "private-key": PEM,
    "card-number": "4111 1111 1111 1111",
    "jwt": f"ey{some(30)}.ey{some(40)}.{some(43)}",
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", 'token="{}"', "({}),", '{{"a": "x\\n{}"}}', "see {}. Then", "密钥{}是"]
)
def test_a_secret_is_masked_wherever_it_stands(kind: str, around: str) -> None:
    text = around.format(SECRETS[kind])
    assert mask_secrets(text) == around.format(f"[masked: {kind}]")


@pytest.mark.parametrize(
    "text",
    [
        "Nothing to see: key, token, secret, password.",
        "1796000000000 1796000000123456",  # times
        "4111 1111 1111 1112",  # no card: the check digit is wrong
        "0.4111111111111111 4111111111111111.5 a4111111111111111",
        "order 5105-1051-0510-5101",
        "AKIAAAAAAAAAAAAAAAAA",  # a placeholder
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "b58d3f102cf3a2c84cb7f923d05c25c9b1aed84b",  # a commit
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_secrets(text) == text


def test_a_private_key_without_an_end_is_masked_to_the_end() -> None:
    assert mask_secrets("a -----BEGIN PRIVATE KEY-----\nMII") == "a [masked: private-key]"


def test_several_secrets_and_what_is_between_them() -> None:
    text = f"a {SECRETS['github-pat']} b {SECRETS['card-number']} c"
    assert mask_secrets(text) == "a [masked: github-pat] b [masked: card-number] c"


@pytest.mark.parametrize(
    "filler",
    ["{k}", "{k} ", "{k}=", "{k}.", "{k}-a1b2", "-----BEGIN PRIVATE KEY-----", "4111 1", "ey{k}" + "A" * 17],
)
def test_the_time_grows_no_faster_than_the_text(filler: str) -> None:
    for rule in _rules():
        part = filler.format(k=rule.keywords[0])
        text = part * (12 * 1024 // len(part))
        began = time.perf_counter()
        mask_secrets(text)
        assert (
            time.perf_counter() - began < 2
        )  # as a rule 10 ms; what is quadratic takes some times ten seconds
        if "{k}" not in filler:
            break
