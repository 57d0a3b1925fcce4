"""Policy: the commands that may be started as MCP servers, with their arguments and environment.

Applied at save and at start.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from django.conf import settings

from core.message import Message, joined

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOADERS = re.compile(
    r"""PATH|IFS|ENV|BASH_ENV|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND   # shells
      | LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|MALLOC_.*          # the loader and libc
      | HOSTALIASES|RES_OPTIONS|LOCALDOMAIN|RESOLV_HOST_CONF|OPENSSL_(CONF|ENGINES|MODULES)
      | PYTHON(?!UNBUFFERED$|UTF8$|IOENCODING$|DONTWRITEBYTECODE$|HASHSEED$).*
      | UV_PYTHON|VIRTUAL_ENV
      | NODE_OPTIONS|NODE_PATH|NODE_REPL_.*|NPM_CONFIG_(SCRIPT_SHELL|NODE_OPTIONS|SHELL|GIT|PREFIX|.*CONFIG)
      | PERL5?(LIB|OPT|DB)|RUBY(LIB|OPT)|(_|JDK_)?JAVA_(TOOL_)?OPTIONS|CLASSPATH
      | GIT_(SSH.*|EXEC_PATH|CONFIG.*|ASKPASS|PROXY_COMMAND|EXTERNAL_DIFF)|SSH_ASKPASS
      | EDITOR|VISUAL|PAGER|BROWSER
      | MCPC_ID                                                                   # marks servers' processes
    """,
    re.IGNORECASE | re.VERBOSE,
)


_PACKAGE_INDEXES = re.compile(
    r"""(UV|PIP)_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|TRUSTED_HOST|INSECURE_HOST|CONFIG_FILE)
      | UV_(PYTHON_INSTALL_MIRROR|PYPY_INSTALL_MIRROR)
      | (NPM|PNPM|BUN)_CONFIG_.*REGISTRY | (YARN|COREPACK)_(NPM_)?REGISTRY.*
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Variables by which package runners fetch a server's code from elsewhere."""


_RUNNERS_OF_NPM = {"npx", "npm", "pnpm", "pnpx", "yarn", "bun", "bunx"}
_RUNNERS_OF_PYTHON = {"uvx", "uv", "pipx", "pip"}
_INDEX_OPTION = re.compile(
    r"""--(index|(default|extra)-index|(extra-)?index-url|pypi-url|find-links|trusted-host
          |allow-insecure-host|config-file|pip-args|(python|pypy)-install-mirror)(=.*)?
      | -[qvnUaxmghV]*[if].*
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_REGISTRY_OPTION = re.compile(
    r"-+(reg[a-z]*|userc[a-z]*|globalc[a-z]*|@[^=]*:registry|npm-registry[a-z-]*)(=.*)?",
    re.IGNORECASE | re.DOTALL,
)
"""npm takes beginnings of names, and any number of hyphens."""
_FLAG = re.compile(
    r"--(yes|no|no-install|quiet|silent|verbose|offline|prefer-offline|prefer-online|isolated|refresh|no-cache"
    r"|no-config|native-tls|managed-python|no-progress|system-certs|force|help|version)|-[ysqvnhVU]+"
)
"""Options of the runners that take no value: what follows them is the package."""


class CommandRefused(Exception):
    """The text is for people and holds no secret."""


def command_refusal(command: str) -> str | None:
    """Returns why the command may not be started, or None if it may. A path must be listed as written."""
    if command in settings.MCP_ALLOWED_COMMANDS:
        return None
    allowed = ", ".join(settings.MCP_ALLOWED_COMMANDS) or Message("none")
    return Message(
        "The command %(command)s is not allowed. MCP_ALLOWED_COMMANDS allows: %(allowed)s.",
        command=repr(command[:200]),
        allowed=allowed,
    )


def environment_refusal(names: Iterable[str]) -> str | None:
    """Returns why a server may not be given variables of these names, or None if it may.

    Refused is every variable that makes a loader or an interpreter run other code than the command's. So is
    one that has a package runner fetch that code from elsewhere, unless MCP_ALLOW_PACKAGE_INDEXES is set.
    """
    names = list(names)
    if foreign := [name for name in names if not _VARIABLE.fullmatch(name)]:
        return Message(
            "Not the name of a variable: %(name)s. Use letters, digits and underscores.",
            name=repr(foreign[0][:64]),
        )
    if refused := sorted(name for name in names if _LOADERS.fullmatch(name)):
        return Message(
            "Not allowed, because it changes what is run: %(names)s.", names=", ".join(refused)[:200]
        )
    if not settings.MCP_ALLOW_PACKAGE_INDEXES and (redirecting := _redirecting(names)):
        return _redirects(", ".join(redirecting)[:200])
    return None


def arguments_refusal(command: str, args: Sequence[str]) -> str | None:
    """Returns why a server may not be started with these arguments, or None if it may.

    Refused is what has a package runner fetch code from elsewhere, unless MCP_ALLOW_PACKAGE_INDEXES is set.
    The package's own arguments, behind its name or behind `--`, are its own business.
    """
    if settings.MCP_ALLOW_PACKAGE_INDEXES or not (option := _redirecting_option(command, args)):
        return None
    return joined(_redirects(option), Message("An option of the server itself goes behind `--`."))


def _redirects(names: str) -> Message:
    return Message(
        "Not allowed, because it changes where packages come from: %(names)s. "
        "Use MCP_PASS_ENVIRONMENT for all servers, or set MCP_ALLOW_PACKAGE_INDEXES.",
        names=names,
    )


def _redirecting_option(command: str, args: Sequence[str]) -> str:
    runner, args = _runner(command, args)
    pattern = _INDEX_OPTION if runner in _RUNNERS_OF_PYTHON else _REGISTRY_OPTION
    if runner not in _RUNNERS_OF_PYTHON | _RUNNERS_OF_NPM:
        return ""
    takes_value = False
    for arg in args:
        if arg == "--":
            return ""
        if pattern.fullmatch(arg):
            return arg.partition("=")[0][:40] if arg.startswith("--") else arg[:2]
        if not arg.startswith("-"):
            # Of an unknown option it may be the value: rather look at too many arguments than at too few.
            if not takes_value and runner in {"npx", "uvx", "bunx", "pnpx"}:
                return ""
            takes_value = False
        else:
            takes_value = "=" not in arg and not _FLAG.fullmatch(arg)
    return ""


def _runner(command: str, args: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Returns the name of the program and its arguments; of `python -m pipx ...` those of the module."""
    name = PurePosixPath(command).name.lower()
    name = name.removesuffix(".exe").removesuffix(".cmd")
    if name.startswith("python"):
        for number, arg in enumerate(args):
            if arg.startswith("-m"):
                module = arg[2:] or next(iter(args[number + 1 :]), "")
                return module, args[number + (1 if arg[2:] else 2) :]
            if not arg.startswith("-"):
                break
    return name, args


def _redirecting(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if _PACKAGE_INDEXES.fullmatch(name))


def require_startable(command: str, names: Iterable[str], args: Sequence[str] = ()) -> None:
    """Raises CommandRefused. Checked at each start, because a row may not have passed the check at save.

    `names`: of the environment's variables.
    """
    refusal = command_refusal(command) or environment_refusal(list(names)) or arguments_refusal(command, args)
    if refusal:
        raise CommandRefused(refusal)
