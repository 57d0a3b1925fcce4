"""Counts the database queries of a block, so that a query for each row (N+1) fails a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext


@contextmanager
def assert_queries(expected: int) -> Iterator[None]:
    """Fails, and prints the queries, unless the block sends exactly `expected` ones.

    It counts those of the connection of the current thread: of the views of the management API, which answer
    in the thread of a test's client, but not of coroutines, which use a connection in a thread of their own.
    """
    with CaptureQueriesContext(connection) as captured:
        yield
    if len(captured) != expected:
        message = f"{len(captured)} queries instead of {expected}:\n{_listed(captured)}"
        pytest.fail(message, pytrace=False)


@contextmanager
def assert_at_most_queries(most: int) -> Iterator[None]:
    """Fails, and prints the statements, if the block sends more: those of transactions count, too."""
    with CaptureQueriesContext(connection) as captured:
        yield
    if len(captured) > most:
        pytest.fail(f"{len(captured)} queries, at most {most}:\n{_listed(captured)}", pytrace=False)


def assert_same_queries(request: Callable[[], object], *, after: Callable[[], object]) -> None:
    """Fails, and prints the queries, if `request` sends another number of them once `after` was called.

    For lists: `after` adds rows. The first of all requests is not counted, since it may fill caches.
    """
    request()
    with CaptureQueriesContext(connection) as before:
        request()
    after()
    with CaptureQueriesContext(connection) as now:
        request()
    if len(now) != len(before):
        message = f"{len(before)} queries before, {len(now)} with more rows:\n{_listed(before)}\nnow:\n"
        pytest.fail(message + _listed(now), pytrace=False)


def _listed(captured: CaptureQueriesContext) -> str:
    return "\n".join(f"{number}. {query['sql']}" for number, query in enumerate(captured, 1))
