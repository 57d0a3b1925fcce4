"""Converts the rules of gitleaks (MIT license) to assistants/filtering/patterns.json.

curl -O https://raw.githubusercontent.com/gitleaks/gitleaks/master/config/gitleaks.toml
python -m tests.assistants.filtering.convert gitleaks.toml
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import orjson

TARGET = Path(__file__).parents[3] / "assistants" / "filtering" / "patterns.json"
LEFT_OUT = {
    "private-key",  # found without an expression: see assistants/filtering/secret_texts.py
    "generic-api-key",  # a guess by the name of a variable: half of what it finds is none
    "curl-auth-header",
    "curl-auth-user",
    "jwt-base64",
    "kubernetes-secret-yaml",
    "nuget-config-password",
}
"""Rules of files and commands, and those that are not linear."""
_END = "(?:[\\x60'\"\\s;]|\\\\[nr]|$)"
"""How most rules end in source code. In a result a secret may stand before any punctuation."""
_BEGIN = r"(?:\b|(?<=\\[nrt]))"
"""A word begins after an escaped line break, too: results are often JSON."""
_BEFORE = "[\\w.-]{0,50}?"
"""What a rule allows before a name: nothing that has to be masked."""


def converted(rule: dict[str, Any]) -> dict[str, Any]:
    """Returns a rule by Python's syntax."""
    pattern = rule["regex"].replace(_END, "(?![\\w-])").replace(_BEFORE, "").replace("\\z", "\\Z")
    pattern = pattern.replace("[[:alnum:]]", "[a-zA-Z0-9]")
    pattern = re.sub(r"^(\(\?i\))?\\b", lambda flag: f"{flag[1] or ''}{_BEGIN}", pattern)
    while found := re.search(r"(?<=.)\(\?i\)", pattern):
        pattern = _scoped(pattern, found)
    return {
        "id": rule["id"],
        "pattern": pattern,
        "group": rule.get("secretGroup", min(re.compile(pattern).groups, 1)),
        "keywords": rule["keywords"],
        "entropy": rule.get("entropy", 0),
    }


def _scoped(pattern: str, flag: re.Match[str]) -> str:
    """Limits a flag in the middle, which Python refuses, to the rest of its group."""
    depth, position = 0, flag.end()
    while position < len(pattern) and depth >= 0:
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "[":
            position = pattern.index("]", position + 2)
        depth += (character == "(") - (character == ")")
        position += 1
    end = position - 1 if depth < 0 else position
    return f"{pattern[: flag.start()]}(?i:{pattern[flag.end() : end]}){pattern[end:]}"


def main(source: str) -> None:
    rules = tomllib.loads(Path(source).read_text())["rules"]
    kept = [rule for rule in rules if rule["id"] not in LEFT_OUT and "path" not in rule]
    lines = [orjson.dumps(converted(rule)).decode() for rule in kept]
    TARGET.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
