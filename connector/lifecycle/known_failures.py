"""Failures at the start, as runtimes, package runners and operating systems report them. Pure.

A table of lines and what they mean. `startup_output` finds what needs more than a line.
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from core.message import Message

_LONGEST_QUOTE = 200
_DETAIL = re.compile(r"code: |errno: |syscall: |usage: ", re.IGNORECASE)
"""The beginning of lines that repeat what another says better."""


class Failure(StrEnum):
    """The `class` of a failure in the API."""

    ARGUMENT = "missing_argument"
    CREDENTIALS = "credentials_refused"
    NO_CREDENTIALS = "missing_variable"
    RUNTIME = "unsupported_runtime"
    PLATFORM = "wrong_platform"
    PROGRAM = "missing_binary"
    PACKAGE = "package_not_found"
    FILE = "missing_file"
    PERMISSION = "permission_denied"
    DISK = "disk_full"
    PORT = "port_taken"
    CERTIFICATE = "untrusted_certificate"
    DOCKER = "unreachable_dependency"
    SETTING = "misconfigured"


_MEANINGS = {
    Failure.ARGUMENT: Message("The server needs other arguments"),
    Failure.CREDENTIALS: Message("The server's credentials were refused"),
    Failure.NO_CREDENTIALS: Message("The server needs credentials"),
    Failure.RUNTIME: Message("The server needs another version of what runs it"),
    Failure.PLATFORM: Message("The server was built for another system or processor, or lacks a library"),
    Failure.PROGRAM: Message("A program that the server needs is not installed"),
    Failure.PACKAGE: Message("A package that the server needs was not found"),
    Failure.FILE: Message("The server does not find a file or folder"),
    Failure.PERMISSION: Message("The server may not use a file, folder or address"),
    Failure.DISK: Message("There is no space left where the server writes"),
    Failure.PORT: Message("A port that the server listens on is in use"),
    Failure.CERTIFICATE: Message("The server does not trust a certificate"),
    Failure.DOCKER: Message("The Docker daemon does not answer"),
    Failure.SETTING: Message("The server refuses a setting"),
}

_SUREST = [
    (
        Failure.DOCKER,
        r"Cannot connect to the Docker daemon|docker daemon is not running|docker_engine.{0,80}cannot find",
    ),
    (Failure.PERMISSION, r"permission denied while trying to connect to the Docker"),
    (Failure.PROGRAM, r"JAVA_HOME is not (?:set|defined)"),
    (Failure.PACKAGE, r"pull access denied|manifest (?:unknown|for \S+ not found)"),
    (
        Failure.RUNTIME,
        r"current Python version .{0,40} does not satisfy|requires a different Python"
        r"|incompatible with the project's Python requirement|requires Python ?[<>=~]"
        r"|Python \d\.\d+ or (?:later|newer|higher)|UnsupportedClassVersionError"
        r"|EBADENGINE|Unsupported engine|notsup Required|(?:requires|needs) (?:at least )?Node(?:\.js)?\b"
        r"|Node(?:\.js)? (?:version )?v?\d+(?:\.\d+){0,2} or (?:later|newer|higher)"
        r"|SyntaxError: Unexpected token '?(?:\?|\.|\|\|=|&&=|=|\{)"
        r"|Cannot use import statement outside a module"
        r"|Cannot find module 'node:|No such built-in module: node:"
        r"|ReferenceError: (?:fetch|structuredClone|Headers|ReadableStream|File) is not defined"
        r"|unsupported operand type\(s\) for \|: 'type'|cannot import name '\w+' from 'typing'"
        r"|You must install(?: or update)? \.NET",
    ),
    (
        Failure.CREDENTIALS,
        r"password authentication failed|Access denied for user|WRONGPASS|NOAUTH|Authentication failed"
        r"|Incorrect or missing password|code E40[13]\b|authentication token .{0,40}(?:invalid|expired)",
    ),
    (Failure.DISK, r"ENOSPC|No space left on device|disk quota exceeded"),
    (
        Failure.CERTIFICATE,
        r"certificate[_ ]verify[_ ]failed|self[- ]signed certificate|SELF_SIGNED_CERT|UnknownIssuer"
        r"|unable to (?:get|verify) .{0,16}(?:issuer|certificate)|x509: certificate|PKIX path"
        r"|CERT_HAS_EXPIRED|certificate has expired",
    ),
]
"""These lines say more than what surrounds them: a missing host, module or package."""

_KEY = r"(?:api[ _-]?key|(?:(?:access|auth|api|bearer) )?token|credentials?|password)s?"
_USUAL = [
    (
        Failure.ARGUMENT,
        r"the following (?:required )?arguments (?:are required|were not provided)"
        r"|Missing (?:required )?(?:option|argument|parameter)s?\b|required option|No such option"
        r"|Not enough non-option arguments|unrecognized arguments?|unknown option|unexpected argument"
        r"|invalid choice|expected one argument|^Usage: \S+.{0,200}[<\[]",
    ),
    (Failure.PORT, r"EADDRINUSE|address already in use|port \d+ is (?:already )?(?:in use|taken|allocated)"),
    (
        Failure.PLATFORM,
        r"Exec format error|cannot execute binary file|GLIBC\w*_[\d.]+.? not found"
        r"|error while loading shared libraries|cannot open shared object file|wrong ELF class"
        r"|invalid ELF header|Bad CPU type|Unsupported platform|EBADPLATFORM",
    ),
    (
        Failure.PROGRAM,
        r"(?:sh|line \d+|\b\d+): (?:\d+: )?[\w.+-]+: not found|command not found"
        r"|env: .{0,60}No such file or directory|spawn \S+ ENOENT|executable file not found in"
        r"|Executable doesn't exist|is not recognized as an internal"
        r"|No such file or directory: '[a-z][\w+-]*'|Unable to access jarfile",
    ),
    (Failure.PACKAGE, r"An executable named .{0,200} is not provided|No matching distribution"),
    (
        Failure.PERMISSION,
        r"EACCES|EPERM|Permission ?(?:Error|denied)|EROFS|Read-only file system|Operation not permitted",
    ),
    (
        Failure.FILE,
        r"ENOENT|No such file or directory|FileNotFoundError|ENOTDIR|unable to open database file"
        r"|\b(?:file|directory|folder|path)\b.{0,200}?(?:not found|does not exist|doesn't exist)",
    ),
    (
        Failure.NO_CREDENTIALS,
        rf"\b(?:no|missing|without)\b.{{0,40}}\b{_KEY}\b"
        rf"|\b{_KEY}\b.{{0,40}}(?:required|missing|must be|not (?:set|provided|found|configured|specified))",
    ),
    (
        Failure.CREDENTIALS,
        r"(?:status(?: code)?|HTTP(?:/[\d.]+)?|error|code|\()\W{0,3}401\b|Unauthorized|Bad credentials"
        r"|403 Forbidden|\b(?:token|key) (?:is |has )?(?:invalid|expired)"
        r"|\binvalid[ _](?:\w{1,20}[ _]){0,2}(?:token|key|credentials?|auth\w*|grant)\b",
    ),
    (
        Failure.SETTING,
        r"Input should be |Invalid (?:value|option|configuration|config|URL|argument)\b"
        r"|TOMLDecodeError|YAMLException",
    ),
]
_TABLES = {
    True: [(failure, re.compile(pattern, re.IGNORECASE)) for failure, pattern in _SUREST],
    False: [(failure, re.compile(pattern, re.IGNORECASE)) for failure, pattern in _USUAL],
}


def find_failure(lines: Iterable[str], *, surest: bool) -> tuple[Failure, Message] | None:
    """Returns the failure that the lines of a start report last, and a message for people.

    `surest`: only those that say more than whatever else the server has written.
    """
    found = list(_found(lines, surest=surest))
    if not found:
        return None
    failure = found[-1][0]
    of_it = [line for each, line in found if each == failure]
    telling = [line for line in of_it if not _DETAIL.match(line)]
    message = Message("%(meaning)s: %(line)s", meaning=_MEANINGS[failure], line=(telling or of_it)[-1])
    return failure, message


def _found(lines: Iterable[str], *, surest: bool) -> Iterator[tuple[Failure, str]]:
    for raw in lines:
        line = raw.strip()
        for failure, pattern in _TABLES[surest]:
            if pattern.search(line):
                yield failure, line[:_LONGEST_QUOTE]
                break
