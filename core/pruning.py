"""Deletes or empties many rows, a batch at a time, for a bounded time.

Each batch is a transaction of its own: nobody waits for its locks for long, and autovacuum reclaims the space
of one while the next goes. What is left after MOST_S goes the next time.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import models

BATCH, MOST_BATCHES = 1_000, 100
MOST_S = 20.0


def delete(rows: models.QuerySet[Any]) -> int:
    """Deletes these rows, and returns their number: up to 100,000, the oldest ids first.

    Of the rows only the ids are read: to decrypt what they hold would be work for nothing, and fail where the
    key is gone.
    """
    return _in_batches(rows, lambda batch: batch.only("pk").delete())


def empty(rows: models.QuerySet[Any], columns: Iterable[str]) -> int:
    """Sets these columns to NULL, and returns the number of rows. Afterwards `rows` must not match them."""
    nothing = dict.fromkeys(columns)
    return _in_batches(rows, lambda batch: batch.update(**nothing))


def _in_batches(rows: models.QuerySet[Any], end: Callable[[models.QuerySet[Any]], object]) -> int:
    count, began = 0, time.monotonic()
    for _ in range(MOST_BATCHES):
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if ids:
            end(rows.model._default_manager.filter(pk__in=ids))
        count += len(ids)
        if len(ids) < BATCH or time.monotonic() - began > MOST_S:
            break
    return count
