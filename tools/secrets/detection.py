"""Which parts of a server's settings are secrets: a guess, by their names and by their looks. Pure."""

import re

_WORDS = re.compile(
    r"api_?key|access_?key|private_?key|account_?key|secret|(?<!max_)token|passw(or)?d|pwd|passphrase|credential"
    r"|auth(?!or(?!i))|bearer|session|cookie|signature|webhook|dsn|connection_?string|(^|_)(key|sig|pass|pat)$",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(sk|pk|rk)[-_][\w-]{8}|gh[pousr]_\w{8}|github_pat_|glpat-|xox[a-z]-|xapp-|AKIA\w{8}|ASIA\w{8}|AIza\w{8}|ya29\."
    r"|hf_\w{8}|npm_\w{8}|pypi-\w{8}|dop_v1_|SG\.\w{8}|lin_api_|ntn_|secret_\w{8}|tvly-|fc-\w{8}|ak-\d{6}-"
    r"|eyJ[\w-]{8,}\.|(Bearer|Basic|Token)\s+\S"
)
_HEXADECIMAL = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)
_RANDOM = re.compile(r"[\w+/=~-]{20,}", re.ASCII)
_PLACEHOLDER = re.compile(
    r"\*{3,}|\$\{.*\}|\$[A-Z_]+|%[A-Z_]+%|\{\{.*\}\}|<.*>|x{3,}|\.{3}|…"
    r"|(your|insert|replace|enter)[-_ ][\w -]*|change[-_ ]?me",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Of a variable, a header, an option or a parameter in a query."""
    return bool(_WORDS.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).strip("-").replace("-", "_")))


def looks_secret(value: str) -> bool:
    """Keys of well-known services, and long random text."""
    if is_placeholder(value):
        return False
    return bool(_PREFIXED.match(value)) or _looks_random(value)


def is_placeholder(value: str) -> bool:
    """Stands where people are to put a secret of their own."""
    return bool(_PLACEHOLDER.fullmatch(value.strip()))


def _looks_random(value: str) -> bool:
    """Neither words nor a version: digits among letters of both cases, or hexadecimal."""
    digits = sum(character.isdigit() for character in value)
    if _HEXADECIMAL.fullmatch(value):
        return 0 < digits < len(value)
    mixed = value != value.lower() and value != value.upper()
    return digits >= 2 and mixed and bool(_RANDOM.fullmatch(value))
