"""Detection of secrets in a server's settings: a guess, by names and by the form of values. Pure."""

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
_CLEAR = re.compile(r"\$\{[\w:]*\}|sha256:[0-9a-f]{64}")
"""References to variables, and digests of images."""
_PART = re.compile(r"[^\s/?&#=,]{8,}")
_WORD = re.compile(r"[^\s/?&#=,:;|\"'`()<>{}\[\]]{16,}")
_IDENTIFIER = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_DIGIT_AMID_LETTERS = re.compile(r"[A-Za-z][^A-Za-z0-9]*[0-9][^A-Za-z]*[A-Za-z]")


def is_secret_name(name: str) -> bool:
    """Returns whether a variable, header, option or query parameter of this name holds a secret."""
    # camelCase and kebab-case become snake_case, in which _WORDS is written.
    return bool(_WORDS.search(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).strip("-").replace("-", "_")))


def looks_secret(value: str) -> bool:
    """Returns whether the value has the form of a key of a well-known service, or is long random text."""
    if is_placeholder(value):
        return False
    return bool(_PREFIXED.match(value)) or _looks_random(value)


def is_placeholder(value: str) -> bool:
    """Returns whether the value stands for a secret that people should put in its place."""
    return bool(_PLACEHOLDER.fullmatch(value.strip()))


def _looks_random(value: str) -> bool:
    """Returns whether it is no word, path or version: digits among letters of both cases, or hexadecimal."""
    digits = sum(character.isdigit() for character in value)
    if _HEXADECIMAL.fullmatch(value):
        return 0 < digits < len(value)
    mixed = value != value.lower() and value != value.upper()
    return digits >= 2 and mixed and bool(_RANDOM.fullmatch(value))


def may_be_secret(text: str) -> bool:
    """Returns whether a part of an argument or address may be a password, or an id that opens something.

    For what is to be kept out of files: it takes more for secret than `looks_secret`, by which people see
    their settings masked.
    """
    text = _CLEAR.sub("", text)
    return any(map(_is_identifier, _WORD.findall(text))) or any(map(_is_mixed, _PART.findall(text)))


def _is_identifier(word: str) -> bool:
    """Whether a word is hexadecimal, as a UUID is, and neither a number nor letters alone."""
    digits = word.replace("-", "")
    return bool(_IDENTIFIER.fullmatch(digits)) and not (digits.isdecimal() or digits.isalpha())


def _is_mixed(part: str) -> bool:
    is_of_both_cases = part != part.lower() and part != part.upper()
    return is_of_both_cases and bool(_DIGIT_AMID_LETTERS.search(part))
