"""The causes of a failed start, read from what servers, interpreters and package runners write. Pure.

The messages are those of published MCP servers, and of the libraries that read their settings:
pydantic-settings, environs, decouple, zod, envalid, envconfig, Spring.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.message import Message

MOST_NAMES = 5
_LONGEST_QUOTE = 200
_LONGEST_LINE = 1000
"""A longer line is data and no message; patterns would take long to read it."""
_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
_QUOTE = r"[\"'`]?"


class Cause(StrEnum):
    """What kept a server from starting."""

    MODULE = "module"
    VARIABLE = "variable"
    DEPENDENCY = "dependency"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Sign:
    """A cause that a text names at `position`; `message` is for people."""

    cause: Cause
    message: str
    position: int


def find_cause(text: str) -> Sign | None:
    """Returns the cause that a text names last: the error that ends a program comes after its warnings.

    A broken cache comes first, because it shows as a missing module.
    """
    lines = _error_lines(text)
    if folder := _broken_cache(text):
        return Sign(Cause.CACHE, Message("The cache folder %(folder)s is broken.", folder=folder), 0)
    signs = [*_modules(lines), *_dependencies(lines), *_variables(lines), *_structured_variables(text)]
    return max(signs, key=lambda sign: sign.position, default=None)


def error_lines(text: str) -> list[str]:
    """Returns the lines that may say what went wrong: no calm ones of a log, no stacks and no source code."""
    return [line for _, line in _error_lines(text)]


def last_line(text: str) -> str:
    """Returns the beginning of the last line that says something; empty if there is none."""
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line)]
    telling = [line for line in lines if not _EPILOGUE.match(line)]
    return next(iter((telling or lines)[::-1]), "")[:_LONGEST_QUOTE]


_EPILOGUE = re.compile(
    r"at \S|Node\.js v\d|npm (?:error|ERR!) A complete log|\S+\.log$|code: '|errno:|syscall:|note: run with"
)

# --- lines ------------------------------------------------------------------------------------------------

Line = tuple[int, str]
"""The position of a line in the text, and the line."""

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_CALM = re.compile(
    r"^\W*(?:\S{0,40}[\s|]{1,3}){0,3}\W?(?:debug|info|notice|trace|warn(?:ing)?|verbose|npm warn)\b"
    r"|\boptional\b|default(?:s|ing)? to|using (?:the )?default|fall(?:ing)? ?back"
    r"|\bskipp|\bdisabl|\bdeprecat"
    r"|\b(?:continu|go)ing (?:on )?(?:without|anonymous)|will not be available|anonymous(?:ly)?\b"
    r"|\"level\":\s*\"?(?:debug|info|warn|[1-4]0\b)|level=(?:debug|info|warn)",
    re.IGNORECASE,
)
_STACK = re.compile(r"^\s+(?:at |File \"|\^|~)|^\s*(?:raise|throw|return|if|assert|const|let|var)\b")


def _error_lines(text: str) -> list[Line]:
    """Returns the lines without those of a log that report no error, of stacks and of source code."""
    lines: list[Line] = []
    position = 0
    for raw in text.splitlines(keepends=True):
        line = _COLOR.sub("", raw.rstrip())[:_LONGEST_LINE]
        if not (_CALM.search(line) or _STACK.search(line)):
            lines.append((position, line))
        position += len(raw)
    return lines


# --- variables --------------------------------------------------------------------------------------------

_NO_VARIABLE = re.compile(
    r"(?:UND_)?ERR_.*|ERR|ER_.*|SQLITE_.*|SQLSTATE.*|INVALID_.*|MISSING_.*|UNABLE_.*|HTTP_\d.*|JSON_RPC.*|JSONRPC.*"
    r"|NODE_(?:MODULE_VERSION|DEBUG|OPTIONS|ENV)|LOG_LEVEL|RUST_(?:BACKTRACE|LOG)|UV_LINK_MODE|DEPTH_ZERO_.*"
    r"|.*_(?:NOT_FOUND|DENIED|REFUSED|EXPIRED|FAILED|FAILURE|VIOLATION|ERROR|REQUIRED|EXCEEDED|CERT|CHAIN|SIGNATURE)"
)
_LACKS = (
    r"(?:required|necessary|unset|undefined|missing|mandatory|unbound variable|parameter null|has no value"
    r"|must (?:be|contain|have)\b"
    r"|(?:cannot|can't|can not|may not|should not|must not) be (?:empty|blank|null)"
    r"|(?:is|are|was|were) (?:empty|blank|null|None)\b|needs? to be|(?:is|are) needed"
    r"|(?:not|n't)(?: been| be)? (?:set|provided|defined|found|configured|specified|supplied|given"
    r"|present|exist)"
    r"|(?:is|are) not? in the environment)"
)
_ASKED = re.compile(
    r"(?:missing|required?s?|lacks?|without|unset|undefined|expects?|expected|no value for|not found|not set"
    r"|(?:please|must|should|need(?:s|ed)? to|have to|or|by|either|and|,|;|:|!|\.|^)\s*"
    r"(?:set(?:ting)?|provid(?:e|ing)|specify|specifying|defin(?:e|ing)|configure|export|supply|add|pass|give))"
    rf"\b[^\n]{{0,60}}?\b{_NAME}\b",
    re.IGNORECASE,
)
_LACKING = re.compile(rf"\b{_NAME}\b[^\n]{{0,80}}?\b{_LACKS}", re.IGNORECASE)
_SINGLE = re.compile(
    rf"env(?:ironment)?[\s-]var(?:iable)?s?:?\s+{_QUOTE}([A-Z][A-Z0-9_]{{2,}})\b"
    rf"|\b([A-Z][A-Z0-9_]{{2,}}){_QUOTE}\s+(?:is a required )?env(?:ironment)?[\s-]var"
)
_LACK_WORD = re.compile(_LACKS + r"|missing|please|set\b|provide|no\b", re.IGNORECASE)
_KEY_ERROR = re.compile(
    r"^KeyError: ['\"]([A-Z][A-Z0-9_]+)['\"]|resolve placeholder '([A-Z][A-Z0-9_]+)'"
    r"|^([A-Z][A-Z0-9_]+): unbound"
)
_LIST_HEAD = re.compile(
    r"(?:missing|required|must be set|not set|please set|following)[^\n]*:\s*$", re.IGNORECASE
)
_LIST_ITEM = re.compile(rf"^[\s\-*•❌✗✘·\d.)]+{_QUOTE}([A-Z][A-Z0-9_]{{2,}}){_QUOTE}(?=\W|$)")
_CODE_FAULT = re.compile(r"ReferenceError|NameError|SyntaxError|TypeError|AttributeError")


def _variables(lines: list[Line]) -> Iterator[Sign]:
    for number, (position, line) in enumerate(lines):
        # A constant that the server's own code does not define is a bug, not a setting.
        if _CODE_FAULT.search(line):
            continue
        if names := _names_in(line) or _names_in_list(lines[number:]):
            yield _missing(names, position, either=_is_either(line))


def _names_in(line: str) -> list[str]:
    if found := _KEY_ERROR.search(line):
        return [next(filter(None, found.groups()))]
    if (_has_name(_ASKED, line) or _has_name(_LACKING, line)) and (names := _names(line)):
        return names
    if (found := _SINGLE.search(line)) and _LACK_WORD.search(line):
        return _fit([next(filter(None, found.groups()))])
    return []


def _has_name(pattern: re.Pattern[str], line: str) -> bool:
    # The patterns ignore case for their words; a name is written in capitals.
    return pattern.search(line) is not None and bool(_names(line))


def _names(line: str) -> list[str]:
    """Returns the variables that a line names, and no functions, paths or properties."""
    return _fit(re.findall(rf"(?<![\w.{{/\\@-])\$?\{{?({_NAME})\b(?![\w(./\\-]\w)", line))


def _fit(names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if not _NO_VARIABLE.fullmatch(name)]


def _names_in_list(lines: list[Line]) -> list[str]:
    """Returns the items of a list whose head is the first line, as of envalid: `Missing variables:`."""
    if not _LIST_HEAD.search(lines[0][1]):
        return []
    names = []
    for _, line in lines[1:]:
        if found := _LIST_ITEM.match(line):
            names.append(found[1])
        elif line.strip():
            break
    return _fit(names)


def _is_either(line: str) -> bool:
    return bool(re.search(rf"{_NAME}{_QUOTE},?\s+or\s+{_QUOTE}{_NAME}", line))


_ZOD = re.compile(
    rf"\"path\":\s*\[\s*\"({_NAME}|[A-Z]{{3,}})\"\s*\],\s*\"message\":\s*\"[^\"\n]*(?:[Rr]equired|undefined)"
    rf"|\b({_NAME}):\s*\[\s*['\"][^'\"\n]*(?:[Rr]equired|undefined)"
)
_PYDANTIC = re.compile(r"validation errors? for (\w+)\n")
_PYDANTIC_FIELD = re.compile(r"^(\w+)\n[ \t]+Field required", re.MULTILINE)
_SETTINGS_CLASS = re.compile(r"setting|config|env|option|credential|auth", re.IGNORECASE)


def _structured_variables(text: str) -> Iterator[Sign]:
    """Finds the variables in the errors of zod and of pydantic-settings, which take several lines."""
    failures = list(_ZOD.finditer(text))
    if names := _fit([next(filter(None, each.groups())) for each in failures]):
        yield _missing(names, failures[-1].start())
    # A setting's field is written as in the class; its variable is in capitals, unless an alias says so.
    is_settings = any(_SETTINGS_CLASS.search(name) for name in _PYDANTIC.findall(text))
    found = [each for each in _PYDANTIC_FIELD.finditer(text) if is_settings or each[1].isupper()]
    if found:
        yield _missing([each[1].upper() for each in found], found[-1].start())


def _missing(names: list[str], position: int, *, either: bool = False) -> Sign:
    few, more = ", ".join(names[:MOST_NAMES]), len(names) - MOST_NAMES
    if more > 0:
        message = Message("The server needs the variables %(names)s and %(more)d more.", names=few, more=more)
    elif either:
        message = Message("The server needs one of the variables %(names)s.", names=few)
    elif len(names) > 1:
        message = Message("The server needs the variables %(names)s.", names=few)
    else:
        message = Message("The server needs the variable %(names)s.", names=few)
    return Sign(Cause.VARIABLE, message, position)


# --- modules ----------------------------------------------------------------------------------------------

_MODULE = re.compile(
    r"No module named '?([\w.\-]+)'?"
    r"|Cannot find (?:module|package) ['\"]([^'\"\n]+)['\"]"
    r"|cannot load such file -- (\S+)"
)


def _modules(lines: list[Line]) -> Iterator[Sign]:
    for position, line in lines:
        if found := _MODULE.search(line):
            name = next(filter(None, found.groups()))[:_LONGEST_QUOTE]
            yield Sign(Cause.MODULE, Message("The module %(name)s is missing.", name=name), position)


_NPX_FOLDER = re.compile(r"((?:/|[A-Za-z]:\\)[^\s'\"()]{0,300}?[/\\]_npx[/\\][0-9a-f]{8,})")
_NPX_BROKEN = re.compile(r"MODULE_NOT_FOUND|Cannot find (?:module|package)|ENOTEMPTY|ENOENT[^\n]*_npx")
_UV_FOLDER = re.compile(
    r"((?:/|[A-Za-z]:\\)[^\s'\"`()]{0,300}?[/\\](?:archive|wheels|builds|environments|sdists|simple|built-wheels)-v\d+"
    r"(?:[/\\][\w.\-]+)?)"
)
_UV_BROKEN = re.compile(
    r"(?:failed to|could not|couldn't|unable to|cannot)[^\n]*[/\\](?:archive|wheels|builds|environments"
    r"|sdists|built-wheels)-v\d|deserialize cache|cache entry|METADATA[^\n]*(?:missing|not found)"
    r"|invalid wheel",
    re.IGNORECASE,
)


def broken_npx_folder(text: str) -> str:
    """Returns the folder of npx's cache that an interrupted install has left; empty if none."""
    return found[1] if _NPX_BROKEN.search(text) and (found := _NPX_FOLDER.search(text)) else ""


def _broken_cache(text: str) -> str:
    """Returns the folder of a package runner's cache that an interrupted install has left; empty if none."""
    if folder := broken_npx_folder(text):
        return folder
    found = _UV_BROKEN.search(text) and _UV_FOLDER.search(text)
    return found[1] if found else ""


# --- dependencies -----------------------------------------------------------------------------------------

_REFUSED = re.compile(
    r"(?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ECONNRESET)[,:]?\s+\[?([^\s,'\"]+:\d{1,5})\b"
    r"|connection to server at \"([^\"]+)\"[^\n]*?, port (\d+) failed"
    r"|connect to \w+ server on '([^' ]+)'[^\n]*"
    r"|connecting to ([^\s,]+:\d{1,5})\b"
    r"|dial tcp ([^\s]+:\d{1,5}):"
    r"|host='([^']+)', port=(\d+)"
    r"|\[Errno 11[013]\] Connect call failed \('([^']+)', (\d+)"
    r"|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ([^\s,'\"]+)"
    r"|could not translate host name \"([^\"]+)\""
    r"|dial tcp: lookup ([^\s:]+)"
    r"|sending request for url \(\w+://([^/)\s]+)"
    r"|Cannot connect to host (\S+:\d{1,5})"
    r"|([\w.\-]+:\d{1,5}): \[Errno 11[013]\]"
)
_NAMELESS = re.compile(
    r"\bECONNREFUSED\b|Connection refused|All connection attempts failed|Name or service not known"
)
_ADDRESS_FIELDS = re.compile(r"address: '([^']+)',\s*port: (\d+)")


def _dependencies(lines: list[Line]) -> Iterator[Sign]:
    host = ""
    for position, line in lines:
        if found := _REFUSED.search(line):
            host = ":".join(group for group in found.groups() if group).rstrip(".,;")
            yield _unreachable(host, position)
        elif _NAMELESS.search(line):
            fields = _ADDRESS_FIELDS.search(" ".join(rest for at, rest in lines if at >= position))
            yield _unreachable(":".join(fields.groups()) if fields else host, position)


def _unreachable(host: str, position: int) -> Sign:
    service = host or Message("a service that it needs")
    return Sign(Cause.DEPENDENCY, Message("The server cannot reach %(service)s.", service=service), position)
