"""What each kind of connection needs. Errors are one message a field, for people."""

from typing import Any


def stdio_errors(*, command: str, args: Any, env: Any) -> dict[str, str]:
    errors = {}
    if not command or "\0" in command:
        errors["command"] = "Give the command that starts the server."
    if not isinstance(args, list) or not _are_texts(args):
        errors["args"] = "Give the arguments as a list of strings without NUL characters."
    if not isinstance(env, dict) or not _are_texts([*env, *env.values()]):
        errors["env"] = "Give the variables as an object of strings without NUL characters."
    return errors


def remote_errors(*, url: str, headers: Any) -> dict[str, str]:
    errors = {}
    if not url.startswith(("http://", "https://")):
        errors["url"] = "Give the server's address, starting with http:// or https://."
    if not isinstance(headers, dict) or not _are_texts([*headers, *headers.values()]):
        errors["headers"] = "Give the headers as an object of strings without NUL characters."
    return errors


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) and "\0" not in value for value in values)
