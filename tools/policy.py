"""Policy: which commands may be started as MCP servers, with which environment. Applied at save and start."""

import re
from collections.abc import Iterable

from django.conf import settings

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


class CommandRefused(Exception):
    """The text is for people and holds no secret."""


def command_refusal(command: str) -> str | None:
    """Returns why the command may not be started, or None if it may. A path must be listed as written."""
    if command in settings.MCP_ALLOWED_COMMANDS:
        return None
    allowed = ", ".join(settings.MCP_ALLOWED_COMMANDS) or "none"
    return f"The command {command[:200]!r} is not allowed. MCP_ALLOWED_COMMANDS allows: {allowed}."


def environment_refusal(names: Iterable[str]) -> str | None:
    """Returns why a server may not be given variables of these names, or None if it may.

    Refused is every variable that makes a loader or an interpreter run other code than the command's. So is
    one that has a package runner fetch that code from elsewhere, unless MCP_ALLOW_PACKAGE_INDEXES is set.
    """
    names = list(names)
    if foreign := [name for name in names if not _VARIABLE.fullmatch(name)]:
        return f"Not the name of a variable: {foreign[0][:64]!r}. Use letters, digits and underscores."
    if refused := sorted(name for name in names if _LOADERS.fullmatch(name)):
        return f"Not allowed, because it changes what is run: {', '.join(refused)[:200]}."
    if not settings.MCP_ALLOW_PACKAGE_INDEXES and (redirecting := _redirecting(names)):
        return (
            f"Not allowed, because it changes where packages come from: {', '.join(redirecting)[:200]}. "
            "Use MCP_PASS_ENVIRONMENT for all servers, or set MCP_ALLOW_PACKAGE_INDEXES."
        )
    return None


def _redirecting(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if _PACKAGE_INDEXES.fullmatch(name))


def require_startable(command: str, names: Iterable[str]) -> None:
    """Raises CommandRefused. Checked at each start, because a row may not have passed the check at save."""
    if refusal := command_refusal(command) or environment_refusal(list(names)):
        raise CommandRefused(refusal)
