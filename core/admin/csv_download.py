"""A table as a CSV file (RFC 4180), sent while it is read, and harmless in a spreadsheet."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_BATCH = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to spreadsheets: https://owasp.org/www-community/attacks/CSV_Injection."""


def csv_download(
    request: HttpRequest, name: str, header: Sequence[Any], rows: Iterable[Sequence[Any]]
) -> StreamingHttpResponse:
    """Returns the file `name`. It begins with a byte order mark: spreadsheets take it for UTF-8 then."""
    batches = _batches(chain([header], rows))
    content = _read_in_thread(batches) if isinstance(request, ASGIRequest) else batches
    response = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def cell(value: Any) -> Any:
    """Returns a value for a cell: of a text that a spreadsheet would run, the text after an apostrophe."""
    if isinstance(value, int | float):
        return value
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _batches(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    iterator, mark = iter(rows), "\ufeff"
    while batch := list(islice(iterator, _BATCH)):
        file = io.StringIO()
        csv.writer(file).writerows([cell(value) for value in row] for row in batch)
        yield mark + file.getvalue()
        mark = ""


async def _read_in_thread(batches: Iterator[str]) -> AsyncIterator[str]:
    """Django would read all of a plain iterator before it sends anything."""

    @sync_to_async
    def following() -> str | None:
        return next(batches, None)

    while (batch := await following()) is not None:
        yield batch
