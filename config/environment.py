"""Loading the settings, with one line instead of a traceback if they are wrong."""

import math
import os
import re
import sys
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

BASE_DIR = Path(__file__).resolve().parent.parent


class _WithFiles(FileAwareMapping):  # type: ignore[misc]  # no types
    """The environment. `NAME_FILE` names a file with the setting NAME, as containers are given secrets."""

    def __getitem__(self, key: str) -> str:
        """Returns the file's text without the line break at its end, with which most files end."""
        try:
            return str(super().__getitem__(key)).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{key}_FILE cannot be read: {_reason(error)}.") from error


CAN_BE_EMPTY = frozenset({"CORS_ORIGINS", "MCP_ALLOWED_COMMANDS"})
"""Lists of which an empty one says something: none of them. Of all others an empty value is none at all."""
_YES = {"true", "on", "ok", "y", "yes", "1"}
_NO = {"false", "off", "n", "no", "0"}
_MOST = 2**31 - 1
"""What fits into a column, and is 68 years where it is seconds: no time-out and no date overflows by it."""
_NO_DATABASE = "django.db.backends.dummy://"
"""Of builds and linters, which load the settings and ask no database."""
_DATABASES = ("postgresql://", "postgres://", "psql://", "pgsql://", _NO_DATABASE)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*([ !#-+\x2d-:<-\x5b\x5d-~]*)")
"""Of OpenTelemetry's specification of exporters, with spaces, which other SDKs take as well."""
_NAME = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])"
_HOST = re.compile(rf"\*|\.?{_NAME}")
_PORT = r"(?::[0-9]{1,5})?"
_OF_CONSOLE = re.compile(rf"https?://(?:\*\.)?{_NAME}{_PORT}")
_OF_PAGES = re.compile(rf"[a-z][a-z0-9+.-]*://{_NAME}{_PORT}|null|file://")
"""Not of the web alone: browsers' extensions and applications made of pages have schemes of their own."""
_VARIABLE = re.compile(r"[^\s=]+")
_COMMAND = re.compile(r"[^\s/]+|\S.*/.*")
_TOKEN = re.compile(r"[!-~]+")
_SENT = re.compile(r"[ -~]+")
_LINE = re.compile(r"(?:export )?[A-Za-z_0-9]+=.*")
"""What django-environ reads. It prints any other line, with the secret in it, and goes on without it."""


class Environment(environ.Env):  # type: ignore[misc]
    """Reads settings. A file wins over a variable. Raises ImproperlyConfigured, without the value."""

    ENVIRON = _WithFiles()

    def read_file(self, path: Path) -> None:
        """Takes what is not set from a file of settings that people write. There may be none."""
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (FileNotFoundError, IsADirectoryError):  # a virtual environment may have this name
            return
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{path} cannot be read: {_reason(error)}.") from error
        lines = ["" if line.lstrip().startswith("#") else line for line in lines]
        for number, line in enumerate(lines, 1):
            if line.strip() and not _LINE.fullmatch(line):
                raise ImproperlyConfigured(
                    f"{path}, line {number}: Write NAME=value in one line, without spaces around the sign."
                )
        self.read_env(StringIO("\n".join(filter(str.strip, lines))))

    def complete(self, path: Path) -> None:
        """Takes what is not set, or empty, from a file of NAME=value lines. There may be none."""
        with suppress(OSError):
            for name, _, value in (line.partition("=") for line in path.read_text().splitlines()):
                if name and not given(name):
                    os.environ[name] = value

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """Returns a setting as it stands there; the default where it is empty, as in files of Compose.

        django-environ takes `$word` for the name of another one: a password may begin so.
        """
        value = self.ENVIRON.get(var)
        if value is None or (not value.strip() and var not in CAN_BE_EMPTY):
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"Set the {var} environment variable")
            return default
        return value if cast is None else self.parse_value(value, cast)

    def whole(self, name: str, *, default: int, least: int = 0, most: int = _MOST) -> int:
        try:
            value = int(self.get_value(name, default=default))
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}.")
        return value

    def number(self, name: str, *, default: float, least: float = 0, most: float = _MOST) -> float:
        try:
            value = float(self.get_value(name, default=default))
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ImproperlyConfigured(f"{name} must be a number from {least} to {most}.")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        word = str(self.get_value(name, default=default)).strip().lower()
        if word not in _YES | _NO:
            raise ImproperlyConfigured(f"{name} must be true or false.")
        return word in _YES

    def listed(self, name: str, *, default: Any = environ.Env.NOTSET) -> list[str]:
        """Returns what commas separate, with or without spaces."""
        given_list = self.get_value(name, default=default)
        if not isinstance(given_list, str):
            return list(given_list)
        return [part.strip() for part in given_list.split(",") if part.strip()]

    def hosts(self, name: str, *, default: list[str]) -> list[str]:
        return self._each(name, default, _HOST, "names of hosts, as example.org or .example.org")

    def origins_of_console(self, name: str) -> list[str]:
        form = "origins, as https://example.org or https://*.example.org"
        return [origin.lower() for origin in self._each(name, [], _OF_CONSOLE, form)]

    def origins_of_pages(self, name: str, *, default: list[str]) -> list[str]:
        form = "origins, as https://example.org or http://localhost:3000"
        return [origin.lower() for origin in self._each(name, default, _OF_PAGES, form)]

    def variables(self, name: str) -> list[str]:
        return self._each(name, [], _VARIABLE, "names of variables, as HTTPS_PROXY")

    def commands(self, name: str, *, default: list[str]) -> list[str]:
        return self._each(name, default, _COMMAND, "commands, as uvx, or their paths")

    def web_addresses(self, name: str) -> list[str]:
        addresses = self.listed(name, default=[])
        if not all(map(_is_web_address, addresses)):
            raise ImproperlyConfigured(f"{name} must list addresses that begin with http:// or https://.")
        return addresses

    def web_address(self, name: str, *, default: str) -> str:
        address = str(self.get_value(name, default=default)).strip()
        if address != default and not _is_web_address(address):
            raise ImproperlyConfigured(f"{name} must be an address that begins with http:// or https://.")
        return address

    def token(self, name: str) -> str:
        """Returns a bearer token, which a header can carry; "" where none is given."""
        return self._carried(name, _TOKEN, "must have letters, digits and signs of ASCII alone, no spaces.")

    def api_key(self, name: str) -> str:
        """As `token`. Services that demand none are given words, with spaces."""
        return self._carried(name, _SENT, "must have letters, digits and signs of ASCII alone.")

    def bind(self, name: str, *, example: str) -> str:
        """Returns an address to listen on; "" where none is given."""
        address = str(self.get_value(name, default="")).strip()
        host, colon, port = address.rpartition(":")
        is_one = colon and port.isdecimal() and int(port) < 65_536 and not re.search(r"[\s/]", host)
        if address and not is_one:
            raise ImproperlyConfigured(f"{name} must be an address and a port, such as {example}.")
        return address

    def headers(self, name: str) -> str:
        """Returns HTTP headers as OpenTelemetry reads them, `name=value,name=value`; "" without any."""
        text = str(self.get_value(name, default=""))
        # Its library reads the variable, too, where a file wins over it, and logs in clear what is none.
        for given_text in (text, os.environ.get(name, "")):
            if not all(map(_is_header, filter(None, map(str.strip, given_text.split(","))))):
                raise ImproperlyConfigured(
                    f"{name} must have the form name=value,name=value, in ASCII. What is special in a value"
                    " is written so: %2C for a comma."
                )
        return text

    def database(self, name: str, *, default: Any = environ.Env.NOTSET) -> dict[str, Any]:
        url = str(self.get_value(name, default=default))
        try:
            if url.startswith(_DATABASES):
                return dict(self.db_url_config(url))
        except ValueError:
            pass  # said below: the reason would have a part of the password
        raise ImproperlyConfigured(
            f"{name} must have the form postgresql://user:password@host:port/database. What is special in a "
            "password is written so: %2F for /."
        )

    def _each(self, name: str, default: list[str], form: re.Pattern[str], said: str) -> list[str]:
        parts = self.listed(name, default=default)
        if not all(map(form.fullmatch, parts)):
            raise ImproperlyConfigured(f"{name} must list {said}, separated by commas.")
        return parts

    def _carried(self, name: str, form: re.Pattern[str], said: str) -> str:
        text = str(self.get_value(name, default="")).strip()
        if text and not form.fullmatch(text):
            raise ImproperlyConfigured(f"{name} {said}")
        return text


def _reason(error: Exception) -> str:
    """Returns why a file cannot be read."""
    return str(error.strerror) if isinstance(error, OSError) else "it is no text in UTF-8"


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that cannot be
        return False
    return is_whole and text.startswith(("http://", "https://")) and not re.search(r"\s", text)


def _is_header(text: str) -> bool:
    found = _HEADER.fullmatch(text)
    # What is encoded must be fit to be sent, too: the HTTP client says what is not, with its value.
    return found is not None and (value := unquote(found[1])).isascii() and value.isprintable()


def given(name: str) -> str:
    """Returns a setting of the environment; "" where it has none."""
    return str(Environment.ENVIRON.get(name, "")).strip()


def load_settings() -> None:
    """Exits with status 1 and the reason if a setting is missing from the environment, or is not valid."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        settings.INSTALLED_APPS  # noqa: B018 - the first access loads them
    except ImproperlyConfigured as error:
        is_missing = "environment variable" in str(error)  # django-environ's words
        sys.exit(f"MCP Connector cannot run: {error}" + (f".\n{nothing_runs()}" if is_missing else ""))


def nothing_runs() -> str:
    """Returns the likeliest reason for a missing setting, or for a database that does not answer."""
    data_dir = os.environ.get("DATA_DIR") or BASE_DIR / ".data"
    return (
        f"If it is to run here: nothing is running with DATA_DIR={data_dir}. Start it with `make up`, or set "
        "DATA_DIR to the folder that it runs with."
    )
