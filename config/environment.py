"""Loading the settings, with one line instead of a traceback if they are wrong."""

import math
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

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
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise ImproperlyConfigured(f"{key}_FILE cannot be read: {reason}.") from error


_YES = {"true", "on", "ok", "y", "yes", "1"}
_NO = {"false", "off", "n", "no", "0", ""}
_MOST = 2**31 - 1
"""What fits into a column, and is 68 years where it is seconds: no time-out and no date overflows by it."""
_NO_DATABASE = "django.db.backends.dummy://"
"""Of builds and linters, which load the settings and ask no database."""
_DATABASES = ("postgresql://", "postgres://", "psql://", "pgsql://", _NO_DATABASE)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=[ \t]*([ !#-+\x2d-:<-\x5b\x5d-~]*)")
"""Of OpenTelemetry's specification of exporters, with spaces, which other SDKs take as well."""


class Environment(environ.Env):  # type: ignore[misc]
    """Reads settings. A file wins over a variable. Raises ImproperlyConfigured, without the value."""

    ENVIRON = _WithFiles()

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """Returns a setting as it stands there. django-environ takes `$word` for the name of another one: a
        password may begin so."""
        try:
            value = self.ENVIRON[var]
        except KeyError as error:
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"Set the {var} environment variable") from error
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

    def web_address(self, name: str, *, default: str) -> str:
        address = str(self.get_value(name, default=default))
        if address != default and not address.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"{name} must begin with http:// or https://.")
        return address

    def bind(self, name: str, *, example: str) -> str:
        """Returns an address to listen on; "" where none is given."""
        address = str(self.get_value(name, default=""))
        _, colon, port = address.rpartition(":")
        if address and not (colon and port.isdecimal() and int(port) < 65_536):
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


def _is_header(text: str) -> bool:
    found = _HEADER.fullmatch(text)
    # What is encoded must be fit to be sent, too: the HTTP client says what is not, with its value.
    return found is not None and (value := unquote(found[1])).isascii() and value.isprintable()


def given(name: str) -> str:
    """Returns a setting of the environment; "" where it has none."""
    return str(Environment.ENVIRON.get(name, ""))


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
