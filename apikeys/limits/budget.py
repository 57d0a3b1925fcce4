"""The monthly token budget. The database holds the number of tokens; a month is one of UTC by its clock."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import connection, transaction

from apikeys import outbox
from apikeys.models import EventType
from core.background import BatchWriter
from core.database import in_thread, in_thread_until_done
from core.feed import FeedCache

KNOWN_FOR_S = 5.0
"""For how long a process serves a number from memory, to which other processes may have added."""
_GATHER_S = 0.25
"""For how long tokens wait for more to be written with them."""

_THIS_MONTH = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
_READ = f"SELECT tokens FROM apikeys_tokenusage WHERE api_key_id = %s AND month = {_THIS_MONTH}"  # noqa: S608
# The keys are locked so that none is deleted meanwhile, and by id, so that two writers cannot deadlock. Keys
# that are gone are left out: the rows have no foreign key constraint (see TokenUsage).
_ADD = f"""
    WITH spent AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS spent (api_key_id, tokens)),
    known AS (
        SELECT id, tokens FROM apikeys_apikey JOIN spent ON id = api_key_id
        ORDER BY id FOR KEY SHARE OF apikeys_apikey
    ),
    added AS (
        INSERT INTO apikeys_tokenusage AS usage (api_key_id, month, tokens)
        SELECT id, {_THIS_MONTH}, tokens FROM known
        ON CONFLICT (api_key_id, month) DO UPDATE SET tokens = usage.tokens + excluded.tokens
        RETURNING api_key_id, tokens, told_percent
    )
    SELECT id, name, added.tokens, tokens_per_month, told_percent
    FROM added JOIN apikeys_apikey ON id = api_key_id
"""  # noqa: S608 - nothing of it comes from outside
_TELL = f"UPDATE apikeys_tokenusage SET told_percent = %s WHERE api_key_id = %s AND month = {_THIS_MONTH}"  # noqa: S608
TOLD_PERCENT = (100, 95, 80)
"""Shares of the budget, of which webhooks are told once a month each."""

Spending = tuple[int, int]
"""The id of a key, and tokens."""


async def spent_this_month(api_key_id: int) -> int:
    """Returns the tokens of this month, up to KNOWN_FOR_S seconds late for those of other processes."""
    return await _spent.get(api_key_id) + _unwritten[api_key_id]


def spend(api_key_id: int, tokens: int) -> None:
    """Adds tokens to a key's month: they count here at once, and are written in the background."""
    _unwritten[api_key_id] += tokens
    writer.add((api_key_id, tokens))


def read(api_key_id: int) -> int:
    """Returns the tokens of this month as the database has them. It uses the ORM."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [api_key_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


class _Spent(NamedTuple):
    """What a key has spent in this month, of how much, and the share that was told of."""

    id: int
    name: str
    tokens: int
    limit: int | None
    told_percent: int


@in_thread_until_done
def _add(spendings: Mapping[int, int]) -> dict[int, int]:
    """Returns the new totals of the keys that still exist."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ADD, [list(spendings), list(spendings.values())])
        keys = [_Spent(*row) for row in cursor.fetchall()]
        for key in keys:
            if (percent := _reached(key)) > key.told_percent:
                cursor.execute(_TELL, [percent, key.id])
                _announce(key, percent)
    return {key.id: key.tokens for key in keys}


def _reached(key: _Spent) -> int:
    if key.limit is None:
        return 0
    return next((each for each in TOLD_PERCENT if 100 * key.tokens >= each * key.limit), 0)


def _announce(key: _Spent, percent: int) -> None:
    outbox.announce(
        EventType.BUDGET_NEAR,
        id=key.id,
        name=key.name,
        percent=percent,
        tokens=key.tokens,
        limit=key.limit,
    )


async def _write(spendings: Iterable[Spending]) -> None:
    sums: Counter[int] = Counter()
    for api_key_id, tokens in spendings:
        sums[api_key_id] += tokens
    # A process knows its own spending at once, however long numbers are served from memory.
    for api_key_id, total in (await _add(sums)).items():
        _spent.put(api_key_id, total)
    for api_key_id, tokens in sums.items():
        _unwritten[api_key_id] -= tokens
        if not _unwritten[api_key_id]:
            del _unwritten[api_key_id]


_unwritten: Counter[int] = Counter()
"""Tokens by key, which the database does not have yet."""

_spent: FeedCache[int, int] = FeedCache(in_thread(read), [], maxsize=10_000, max_age_s=KNOWN_FOR_S)
writer = BatchWriter("tokens of keys", _write, gather_s=_GATHER_S)
