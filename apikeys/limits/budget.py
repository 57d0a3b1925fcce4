"""Tokens a month, by the UTC clock of the database, which alone holds their number."""

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import connection

from core.background import BatchWriter
from core.database import in_thread
from core.feed import FeedCache

KNOWN_FOR_S = 5.0
"""For how long a process trusts a number that others may have added to."""

_THIS_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
_READ = f"SELECT tokens FROM apikeys_tokenusage WHERE api_key_id = %s AND month = {_THIS_MONTH}"  # noqa: S608
# The keys are locked against deletion, and in order, so that two writers never wait for each other.
_ADD = f"""
    WITH spent AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS spent (api_key_id, tokens)),
    known AS (
        SELECT id, tokens FROM apikeys_apikey JOIN spent ON id = api_key_id
        ORDER BY id FOR KEY SHARE OF apikeys_apikey
    )
    INSERT INTO apikeys_tokenusage AS usage (api_key_id, month, tokens)
    SELECT id, {_THIS_MONTH}, tokens FROM known
    ON CONFLICT (api_key_id, month) DO UPDATE SET tokens = usage.tokens + excluded.tokens
    RETURNING api_key_id, tokens
"""  # noqa: S608 - nothing of it comes from outside

Spending = tuple[int, int]
"""Key, tokens."""


async def spent_this_month(api_key_id: int) -> int:
    return await _spent.get(api_key_id)


def spend(api_key_id: int, tokens: int) -> None:
    """Written in the background, at once."""
    writer.add((api_key_id, tokens))


@in_thread
def _read(api_key_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_READ, [api_key_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@in_thread
def _add(spendings: Mapping[int, int]) -> dict[int, int]:
    """The new totals of the keys that are still there."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(spendings), list(spendings.values())])
        return dict(cursor.fetchall())


async def _write(spendings: Iterable[Spending]) -> None:
    sums: Counter[int] = Counter()
    for api_key_id, tokens in spendings:
        sums[api_key_id] += tokens
    for api_key_id, total in (await _add(sums)).items():
        _spent.put(api_key_id, total)


_spent: FeedCache[int, int] = FeedCache(_read, [], maxsize=10_000, max_age_s=KNOWN_FOR_S)
writer = BatchWriter("tokens of keys", _write)
