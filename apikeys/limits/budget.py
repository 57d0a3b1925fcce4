"""The monthly token budget. The database holds the number of tokens; a month is one of UTC by its clock."""

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import connection

from core.background import BatchWriter
from core.database import in_thread, in_thread_until_done
from core.feed import FeedCache

KNOWN_FOR_S = 5.0
"""For how long a process serves a number from memory, to which other processes may have added."""

_THIS_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
_READ = f"SELECT tokens FROM apikeys_tokenusage WHERE api_key_id = %s AND month = {_THIS_MONTH}"  # noqa: S608
# The keys are locked so that none is deleted meanwhile, and by id, so that two writers cannot deadlock. Keys
# that are gone are left out: the rows have no foreign key constraint (see TokenUsage).
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
"""The id of a key, and tokens."""


async def spent_this_month(api_key_id: int) -> int:
    """Returns the tokens of this month, up to KNOWN_FOR_S seconds late for those of other processes."""
    return await _spent.get(api_key_id)


def spend(api_key_id: int, tokens: int) -> None:
    """Adds tokens to a key's month, in the background."""
    writer.add((api_key_id, tokens))


@in_thread
def _read(api_key_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_READ, [api_key_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@in_thread_until_done
def _add(spendings: Mapping[int, int]) -> dict[int, int]:
    """Returns the new totals of the keys that still exist."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(spendings), list(spendings.values())])
        return dict(cursor.fetchall())


async def _write(spendings: Iterable[Spending]) -> None:
    sums: Counter[int] = Counter()
    for api_key_id, tokens in spendings:
        sums[api_key_id] += tokens
    # A process knows its own spending at once, however long numbers are served from memory.
    for api_key_id, total in (await _add(sums)).items():
        _spent.put(api_key_id, total)


_spent: FeedCache[int, int] = FeedCache(_read, [], maxsize=10_000, max_age_s=KNOWN_FOR_S)
writer = BatchWriter("tokens of keys", _write)
