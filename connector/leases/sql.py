"""The SQL of the leases. `clock_timestamp()` and not `now()`: a statement may have waited for a lock."""

# Also the heartbeat of a worker. A worker that drains has no `seen_at`, and must not come back to life: its
# keeper stops sending this.
REGISTER = """
INSERT INTO connector_worker (name, node, host_id, socket, address, seen_at)
VALUES (%(name)s, %(node)s, %(host_id)s, %(socket)s, %(address)s, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen_at = EXCLUDED.seen_at
"""

BEGIN_DRAIN = "UPDATE connector_worker SET seen_at = NULL WHERE name = %(name)s"

# A lease that has expired is never renewed: somebody else may be about to claim it.
RENEW = """
UPDATE connector_instance SET expires_at = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE worker_id = %(name)s AND expires_at > clock_timestamp()
RETURNING server_id, slot, fence
"""

PEERS = "SELECT name FROM connector_worker WHERE host_id = %(host_id)s AND name <> %(name)s"

FREE_SLOTS = """
UPDATE connector_instance SET worker_id = NULL, expires_at = NULL, phase = 'released', pid = NULL
WHERE worker_id = ANY(%(names)s)
"""

DELETE_WORKERS = "DELETE FROM connector_worker WHERE name = ANY(%(names)s)"

# One statement, with the rows locked: a worker that was frozen for a day may come back at any moment, and
# must not claim between a query and its deletion. The foreign key is checked at the end of the transaction,
# when the slots have been freed. A worker that drains has no `seen_at`; its leases keep it until it is
# done.
PRUNE_SILENT = """
WITH silent AS MATERIALIZED (
  SELECT name FROM connector_worker worker
  WHERE coalesce(seen_at, '-infinity') < clock_timestamp() - make_interval(secs => %(silent)s)
    AND NOT EXISTS (
      SELECT FROM connector_instance WHERE worker_id = worker.name AND expires_at > clock_timestamp())
  FOR UPDATE SKIP LOCKED
),
freed AS (
  UPDATE connector_instance SET worker_id = NULL, expires_at = NULL, phase = 'released', pid = NULL
  WHERE worker_id IN (SELECT name FROM silent)
)
DELETE FROM connector_worker WHERE name IN (SELECT name FROM silent) RETURNING name
"""

# A clock that was set back leaves times in the future. Owners that live renew theirs within a heartbeat; what
# others left would hold until the clock is there again. From now on it lasts as long as if it were new.
SHORTEN_LEASES = """
UPDATE connector_instance SET expires_at = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id IN (
  SELECT id FROM connector_instance
  WHERE expires_at > clock_timestamp() + 4 * make_interval(secs => %(lease)s)
  FOR NO KEY UPDATE SKIP LOCKED
)
"""
AGE_HEARTBEATS = """
UPDATE connector_worker SET seen_at = clock_timestamp()
WHERE name IN (
  SELECT name FROM connector_worker WHERE seen_at > clock_timestamp() + make_interval(secs => %(lease)s)
  FOR NO KEY UPDATE SKIP LOCKED
)
"""

# `FOR UPDATE SKIP LOCKED` prevents two workers from claiming the same server at once; the condition on the
# row itself, read again under its lock, prevents a claim from overtaking a renewal. The fair share is
# counted over the workers that are alive, so that no single one takes everything (docs/decisions/0006).
CLAIM = """
WITH share AS (
  SELECT ceil((
    SELECT coalesce(sum(replicas), 0) FROM tools_mcptool WHERE is_enabled AND deleted_at IS NULL
  )::numeric / greatest(1, (
    SELECT count(*) FROM connector_worker
    WHERE seen_at > clock_timestamp() - make_interval(secs => %(lease)s)
  ))) - (
    SELECT count(*) FROM connector_instance WHERE worker_id = %(name)s AND expires_at > clock_timestamp()
  ) AS capacity
),
free AS (
  SELECT tool.id AS server_id, number AS slot
  FROM tools_mcptool tool CROSS JOIN LATERAL generate_series(0, tool.replicas - 1) AS number
  LEFT JOIN connector_instance held ON held.server_id = tool.id AND held.slot = number
  WHERE tool.is_enabled AND tool.deleted_at IS NULL
    AND (held.worker_id IS NULL OR held.expires_at <= clock_timestamp())
  ORDER BY number, tool.id
  LIMIT greatest(0, (SELECT capacity FROM share))::bigint
  FOR UPDATE OF tool SKIP LOCKED
)
INSERT INTO connector_instance AS held
  (server_id, slot, worker_id, fence, expires_at,
   phase, observed_generation, protocol_version, restarts, stderr_tail)
SELECT server_id, slot, %(name)s, 1, clock_timestamp() + make_interval(secs => %(lease)s),
   'claimed', 0, '', 0, ''
FROM free
ON CONFLICT (server_id, slot) DO UPDATE SET
  worker_id = EXCLUDED.worker_id, fence = held.fence + 1, expires_at = EXCLUDED.expires_at, phase = 'claimed',
  pid = NULL, restarts = 0
WHERE held.worker_id IS NULL OR held.expires_at <= clock_timestamp()
RETURNING server_id, slot
"""

LOAD = """
SELECT
  (SELECT count(*) FROM connector_instance WHERE worker_id = %(name)s AND expires_at > clock_timestamp()),
  (SELECT coalesce(sum(replicas), 0) FROM tools_mcptool WHERE is_enabled AND deleted_at IS NULL),
  (SELECT count(*) FROM connector_worker
   WHERE seen_at > clock_timestamp() - make_interval(secs => %(lease)s))
"""

OWNED = """
SELECT held.server_id, held.slot, held.fence,
  tool.is_enabled AND tool.deleted_at IS NULL AND held.slot < tool.replicas,
  tool.generation, held.protocol_version
FROM connector_instance held JOIN tools_mcptool tool ON tool.id = held.server_id
WHERE held.worker_id = %(name)s AND held.expires_at > clock_timestamp()
"""

# Times come as ages, by the worker's monotonic clock: wall clocks of two machines need not agree.
PUBLISH = """
UPDATE connector_instance SET
  phase = %(phase)s, observed_generation = %(generation)s, protocol_version = %(protocol_version)s,
  pid = %(pid)s, restarts = %(restarts)s, last_exit = %(last_exit)s, error = %(error)s,
  stderr_tail = %(stderr_tail)s,
  started_at = clock_timestamp() - make_interval(secs => %(started_age)s),
  checked_at = clock_timestamp() - make_interval(secs => %(checked_age)s),
  last_healthy_at = coalesce(clock_timestamp() - make_interval(secs => %(healthy_age)s), last_healthy_at)
WHERE worker_id = %(name)s AND server_id = %(server_id)s AND slot = %(slot)s AND fence = %(fence)s
"""

# Many rows at once, and so without waiting for any: two that lock the same rows could wait for each other.
# The triggers of the change feed do not fire for these columns: no cache is emptied.
CONFIRM = """
WITH tool AS (
  SELECT id FROM tools_mcptool WHERE id = ANY(%(servers)s::bigint[]) FOR NO KEY UPDATE SKIP LOCKED
),
held AS (
  SELECT held.id, seen.checked_age, seen.healthy_age
  FROM unnest(%(servers)s::bigint[], %(slots)s::integer[], %(fences)s::bigint[],
    %(checked_ages)s::float8[], %(healthy_ages)s::float8[])
    AS seen (server_id, slot, fence, checked_age, healthy_age)
  JOIN tool ON tool.id = seen.server_id
  JOIN connector_instance held
    ON (held.server_id, held.slot, held.fence) = (seen.server_id, seen.slot, seen.fence)
  WHERE held.worker_id = %(name)s
  FOR NO KEY UPDATE OF held SKIP LOCKED
),
confirmed AS (
  UPDATE connector_instance confirmed SET
    checked_at = clock_timestamp() - make_interval(secs => held.checked_age),
    last_healthy_at = coalesce(
      clock_timestamp() - make_interval(secs => held.healthy_age), confirmed.last_healthy_at)
  FROM held WHERE confirmed.id = held.id
  RETURNING confirmed.server_id, confirmed.slot, confirmed.last_healthy_at
),
healthy AS (
  UPDATE tools_mcptool tool SET last_healthy_at = greatest(tool.last_healthy_at, latest.at)
  FROM (SELECT server_id, max(last_healthy_at) AS at FROM confirmed GROUP BY server_id) latest
  WHERE tool.id = latest.server_id
)
SELECT server_id, slot FROM confirmed
"""

RELEASE = """
UPDATE connector_instance SET worker_id = NULL, expires_at = NULL, phase = 'released', pid = NULL
WHERE worker_id = %(name)s AND server_id = %(server_id)s AND slot = %(slot)s AND fence = %(fence)s
"""

# Before anything else in a transaction that ends in SET_STATUS: of two owners the later one sees both.
LOCK = "SELECT FROM tools_mcptool WHERE id = %(server_id)s FOR UPDATE"

PHASES = """
SELECT tool.is_enabled AND tool.deleted_at IS NULL, tool.replicas,
  coalesce(array_agg(held.phase) FILTER (WHERE held.phase IS NOT NULL), '{}'),
  (array_agg(held.error ORDER BY held.slot) FILTER (WHERE held.error IS NOT NULL))[1]
FROM tools_mcptool tool
LEFT JOIN connector_instance held ON held.server_id = tool.id AND held.expires_at > clock_timestamp()
WHERE tool.id = %(server_id)s
GROUP BY tool.id
"""

SET_STATUS = """
UPDATE tools_mcptool SET status = %(status)s, error = %(error)s, last_healthy_at = greatest(
  last_healthy_at, (SELECT max(last_healthy_at) FROM connector_instance WHERE server_id = %(server_id)s))
WHERE id = %(server_id)s
"""
