"""Logs as JSON: an object a line, for what collects and searches them.

Ours because python-json-logger would be configured for as many lines: our records have other fields, and its
encoder costs several times what orjson does (docs/decisions/0034-what-is-observed-and-by-what.md).
"""

import json
import logging
import os
from datetime import UTC, datetime

import orjson

from core import log_context


class JSONFormatter(logging.Formatter):
    """`{time, level, logger, message, process}`, what `core.log_context` knows, the `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": os.getpid(),
            **log_context.given(),
        }
        if traceback := self._traceback(record):
            line["traceback"] = traceback
        try:
            return orjson.dumps(line).decode()
        except TypeError:  # a lone surrogate, as in a file's name that is not UTF-8: orjson takes none
            return json.dumps(line)

    def _traceback(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        return "\n".join(part for part in (record.exc_text, stack) if part)
