"""The text of a client's file: JSON, JSON with comments, or YAML, as Continue and LibreChat write it."""

import re
from typing import Any

import orjson
import yaml
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from core import jsonc, plain_yaml, strict_json
from core.errors import InvalidRequest
from core.message import told

LONGEST_YAML = 256 * 1024
"""Characters. Reading YAML takes far longer than reading JSON."""
_PASTED = re.compile(r'\s*"')
_JSON = re.compile(r'\s*[{\["]|\s*\Z')


def read(text: str) -> dict[str, Any]:
    """Returns the object that a text holds. Raises ValidationError, which names line and column.

    A part of a file is taken, too: `"github": {...}` without the braces around it.
    """
    value = load(text)
    if not isinstance(value, dict):
        raise ValidationError(
            gettext("Give the whole file of an MCP client: an object with the servers by name.")
        )
    return value


def load(text: str, *, longest_yaml: int = LONGEST_YAML, times: int = 1) -> Any:
    """Returns the value that a text holds, of JSON an object or a list. Raises ValidationError as `read`.

    `times`: how many times as many members its JSON may have as that of a request.
    """
    plain = jsonc.as_json(text)
    if _JSON.match(plain):
        return _from_json(plain, times)
    return _from_yaml(text.removeprefix("\ufeff"), longest_yaml)


def _from_json(plain: str, times: int) -> Any:
    is_part = bool(_PASTED.match(plain))
    # A comma after the last entry of a part is one before a bracket now.
    data = jsonc.as_json(f"{{{plain}}}") if is_part else plain
    loads = strict_json.loads_list if data.lstrip().startswith("[") else strict_json.loads
    try:
        return loads(data.encode(), times=times)
    except InvalidRequest as error:
        raise ValidationError(_syntax_error(data, is_part=is_part) or told(error).said()) from error
    except UnicodeEncodeError as error:
        raise ValidationError(gettext("The text holds half of a character (a lone surrogate).")) from error


def _syntax_error(data: str, *, is_part: bool) -> str:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as error:
        column = error.colno - 1 if is_part and error.lineno == 1 else error.colno
        values = {"line": error.lineno, "column": max(column, 1), "problem": error.msg}
        return gettext("Not valid JSON at line %(line)d, column %(column)d: %(problem)s.") % values
    return ""


def _from_yaml(text: str, longest: int) -> Any:
    if len(text) > longest:
        raise ValidationError(gettext("Give up to %(most)s characters of YAML.") % {"most": f"{longest:,}"})
    try:
        return plain_yaml.load(text)
    except yaml.MarkedYAMLError as error:
        raise ValidationError(_yaml_error(error)) from error
    # Numbers and dates that do not exist; characters that YAML does not allow.
    except (yaml.YAMLError, ValueError) as error:
        raise ValidationError(gettext("Neither valid JSON nor valid YAML.")) from error


def _yaml_error(error: yaml.MarkedYAMLError) -> str:
    values = {"problem": error.problem or gettext("it is malformed")}
    if (mark := error.problem_mark) is None:
        return gettext("Neither valid JSON nor valid YAML: %(problem)s.") % values
    place = {"line": mark.line + 1, "column": mark.column + 1}
    template = gettext("Neither valid JSON nor valid YAML at line %(line)d, column %(column)d: %(problem)s.")
    return template % {**values, **place}
