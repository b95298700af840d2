-- Statements about what is unfinished say so: they look into that partition, or into the indexes of that.

-- name: insert_messages
-- New messages with their CREATED entries, in the order of the rows, and `count_messages` of :counted; the `seq` of each message. Those of unknown tenants are left out.
WITH offered AS (
  SELECT nextval('message_seq') AS seq, m.*
  FROM (SELECT * FROM unnest(
    :rows.1::text[], :rows.2::text[], :rows.3::text[], :rows.4::bigint[], :rows.5::int[], :rows.6::text[],
    :rows.7::boolean[], :rows.8::bigint[], :rows.9::bigint[], :rows.10::bigint[], :rows.11::text[], :rows.12::text[],
    :rows.13::text[], :rows.14::text[], :rows.15::text[], :rows.16::text[], :rows.17::text[], :rows.18::text[],
    :rows.19::text[], :rows.20::text[], :rows.21::text[], :rows.22::text[], :rows.23::bigint[], :rows.24::text[],
    :rows.25::bytea[]
  ) WITH ORDINALITY AS row (
    id, tenant, state, due_at, retried, lease, cancel_requested, finished_at, created_at, not_before,
    host, path, url, queue, group_name, endpoint, schedule_id, flow_key, labels, caller_ip, callback_of,
    deduplication_key, deduplication_window_ms, options, body, place
  ) ORDER BY place) AS m
  WHERE m.tenant = ANY(ARRAY(SELECT id FROM tenants WHERE id = ANY(:rows.2::text[])))
), created AS (
  INSERT INTO events (message, tenant, time, kind)
  SELECT seq, tenant, created_at, 'CREATED' FROM offered
), counting AS (
  INSERT INTO usage (tenant, day, messages, lane)
  SELECT tenant, day, messages, :lane::int
  FROM unnest(:counted.1::text[], :counted.2::bigint[], :counted.3::bigint[]) AS counted (tenant, day, messages)
  ON CONFLICT (tenant, day, lane) DO UPDATE SET messages = usage.messages + excluded.messages
)
INSERT INTO messages (
  seq, id, tenant, state, due_at, retried, lease, cancel_requested, finished_at, created_at, not_before,
  host, path, url, queue, group_name, endpoint, schedule_id, flow_key, labels, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options, body
)
SELECT
  seq, id, tenant, state, due_at, retried, lease, cancel_requested, finished_at, created_at, not_before,
  host, path, url, queue, group_name, endpoint, schedule_id, flow_key, labels::jsonb, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options::json, body
FROM offered
RETURNING seq

-- name: reserve_deduplications
-- There is a row of each of these keys, and it is ours until the transaction ends; a new one remembers nothing.
INSERT INTO deduplications AS d (tenant, key, message_id, expires_at)
SELECT tenant, key, '', 0 FROM unnest(:wanted.1::text[], :wanted.2::text[]) AS wanted (tenant, key)
ON CONFLICT (tenant, key) DO UPDATE SET expires_at = d.expires_at WHERE false

-- name: find_duplicates
-- What is remembered of the wanted [tenant, key] pairs.
SELECT coalesce(json_agg(json_build_array(d.tenant, d.key, d.message_id, d.expires_at)), '[]')::text
FROM unnest(:wanted.1::text[], :wanted.2::text[]) AS wanted (tenant, key)
JOIN deduplications AS d ON d.tenant = wanted.tenant AND d.key = wanted.key

-- name: remember_keys
-- Deduplication keys with the message that had them first; an expired one is replaced.
INSERT INTO deduplications (tenant, key, message_id, expires_at)
SELECT * FROM unnest(:rows.1::text[], :rows.2::text[], :rows.3::text[], :rows.4::bigint[])
ON CONFLICT (tenant, key) DO UPDATE SET message_id = excluded.message_id, expires_at = excluded.expires_at

-- name: find_due
-- The earliest messages that are due and that nobody else is taking, of all hosts but these or of these alone; with a key only of these tenants.
SELECT coalesce(json_agg(seq), '[]')::text FROM (
  SELECT seq FROM messages
  WHERE state = 'due' AND finished_at IS NULL AND due_at <= :now AND (host = ANY(:hosts::text[])) = :are_all::boolean
    AND (flow_key IS NULL OR tenant = ANY(:tenants::text[]))
  ORDER BY due_at, seq
  LIMIT :limit
  FOR UPDATE SKIP LOCKED
) AS due

-- name: find_lanes
-- The earliest message of each tenant at each host, due now or later, of those after one: [tenant, host, due_at].
WITH RECURSIVE fronts AS (
  (SELECT tenant, host, due_at, 1 AS number FROM messages_unfinished
    WHERE state = 'due' AND (tenant, host) > (:tenant::text, :host::text)
    ORDER BY tenant, host, due_at, seq
    LIMIT 1)
  UNION ALL
  SELECT next.tenant, next.host, next.due_at, fronts.number + 1
  FROM fronts CROSS JOIN LATERAL (
    SELECT m.tenant, m.host, m.due_at FROM messages_unfinished AS m
    WHERE m.state = 'due' AND (m.tenant, m.host) > (fronts.tenant, fronts.host)
    ORDER BY m.tenant, m.host, m.due_at, m.seq
    LIMIT 1
  ) AS next
  WHERE fronts.number < :most::int
)
SELECT coalesce(json_agg(json_build_array(tenant, host, due_at) ORDER BY number), '[]')::text FROM fronts

-- name: due_in_lanes
-- The earliest due messages of each of these [tenant, host], as turns.Candidate, but for those already taken.
SELECT coalesce(json_agg(
  json_build_array(m.seq, lane.place - 1, CASE WHEN m.flow_key IS NULL THEN NULL ELSE lane.tenant END)
  ORDER BY lane.place, m.due_at, m.seq
), '[]')::text
FROM unnest(:lanes.1::text[], :lanes.2::text[]) WITH ORDINALITY AS lane (tenant, host, place)
CROSS JOIN LATERAL (
  SELECT seq, due_at, flow_key FROM messages
  WHERE state = 'due' AND finished_at IS NULL
    AND tenant = lane.tenant AND host = lane.host AND due_at <= :now
  ORDER BY due_at, seq
  LIMIT :each OFFSET :taken
) AS m

-- name: take_due
-- Those of these messages that are still due and that nobody else is taking.
SELECT coalesce(json_agg(seq), '[]')::text FROM (
  SELECT seq FROM messages
  WHERE seq = ANY(:seqs::bigint[]) AND state = 'due' AND finished_at IS NULL
  ORDER BY seq
  FOR UPDATE SKIP LOCKED
) AS due

-- name: next_due_at
-- When the next is due, of all hosts but these or of these alone.
SELECT due_at FROM messages_unfinished
WHERE state = 'due' AND (host = ANY(:hosts::text[])) = :are_all::boolean
ORDER BY due_at, seq
LIMIT 1

-- name: lease
-- Give messages to a node.
UPDATE messages SET state = 'leased', lease = :node WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL

-- name: unfinished_by_seq
-- Unfinished messages, as rows.MessageRow without a body, and their bodies.
SELECT json_build_array(
  seq, id, tenant, state, due_at, retried, lease, cancel_requested::int, finished_at, created_at, not_before,
  url, queue, group_name, endpoint, schedule_id, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options, ''
)::text, body
FROM messages WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL

-- name: finished_by_seq
-- The same of those that are finished.
SELECT json_build_array(
  seq, id, tenant, state, due_at, retried, lease, cancel_requested::int, finished_at, created_at, not_before,
  url, queue, group_name, endpoint, schedule_id, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options, ''
)::text, body
FROM messages WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NOT NULL

-- name: seq_of_message
-- Where a tenant's message is, be it that only its dead letter is left.
SELECT seq FROM messages WHERE tenant = :tenant AND id = :id
UNION ALL
SELECT message FROM dead_letters WHERE tenant = :tenant AND message_id = :id
LIMIT 1

-- name: standing
-- What the fences of settlements are compared with; nobody else changes it until the transaction ends.
SELECT coalesce(
  json_agg(json_build_array(id, seq, tenant, state, lease, retried, cancel_requested::int)), '[]'
)::text
FROM (
  SELECT id, seq, tenant, state, lease, retried, cancel_requested FROM messages
  WHERE id = ANY(:ids::text[]) AND finished_at IS NULL
  ORDER BY seq
  FOR UPDATE
) AS standing

-- name: settle_messages
-- What became of attempts: state, when due, retried, when finished.
UPDATE messages AS m SET
  state = settled.state, due_at = settled.due_at, retried = settled.retried, finished_at = settled.finished_at,
  lease = NULL
FROM unnest(:rows.1::bigint[], :rows.2::text[], :rows.3::bigint[], :rows.4::int[], :rows.5::bigint[])
  AS settled (seq, state, due_at, retried, finished_at)
WHERE m.seq = settled.seq AND m.finished_at IS NULL

-- name: settle_and_log
-- `settle_messages` of :settled and `insert_events` of :rows in one.
WITH settling AS (
  UPDATE messages AS m SET
    state = settled.state, due_at = settled.due_at, retried = settled.retried, finished_at = settled.finished_at,
    lease = NULL
  FROM unnest(:settled.1::bigint[], :settled.2::text[], :settled.3::bigint[], :settled.4::int[], :settled.5::bigint[])
    AS settled (seq, state, due_at, retried, finished_at)
  WHERE m.seq = settled.seq AND m.finished_at IS NULL
)
INSERT INTO events (
  message, tenant, time, kind, next_delivery_at, duration_ms, error,
  response_status, response_headers, response_truncated, response_body
)
SELECT
  message, tenant, time, kind, next_delivery_at, duration_ms, error,
  response_status, response_headers::json, response_truncated, response_body
FROM unnest(
  :rows.1::bigint[], :rows.2::text[], :rows.3::bigint[], :rows.4::text[], :rows.5::bigint[], :rows.6::bigint[],
  :rows.7::text[], :rows.8::int[], :rows.9::text[], :rows.10::boolean[], :rows.11::bytea[]
) AS e (
  message, tenant, time, kind, next_delivery_at, duration_ms, error,
  response_status, response_headers, response_truncated, response_body
)

-- name: leased_by_id
-- Which of these messages a node holds, as messages.Leased.
SELECT coalesce(json_agg(json_build_array(seq, id, tenant, cancel_requested::int)), '[]')::text FROM (
  SELECT seq, id, tenant, cancel_requested FROM messages
  WHERE id = ANY(:ids::text[]) AND finished_at IS NULL AND state = 'leased' AND lease = :node
  ORDER BY seq
  FOR UPDATE
) AS held

-- name: end_leases
-- Unattempted messages are due again as they were before.
UPDATE messages SET state = 'due', lease = NULL WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL

-- name: find_cancelable
-- A tenant's unfinished messages of which no cancellation was asked yet, oldest first.
SELECT coalesce(json_agg(json_build_array(seq, id, state)), '[]')::text FROM (
  SELECT m.seq, m.id, m.state FROM messages AS m
  WHERE m.tenant = :tenant AND m.finished_at IS NULL AND NOT m.cancel_requested /* and filter */
  ORDER BY m.seq
  LIMIT :limit
  FOR UPDATE
) AS cancelable

-- name: cancel_messages
-- The end of messages that no node holds any more.
UPDATE messages SET state = 'canceled', finished_at = :now, lease = NULL
WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL

-- name: request_cancellations
-- Messages that a node holds are not attempted again.
UPDATE messages SET cancel_requested = true WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL

-- name: log_entries
-- The same entry for messages that changed together.
INSERT INTO events (message, tenant, time, kind)
SELECT seq, tenant, :now::bigint, :kind::text FROM messages WHERE seq = ANY(:seqs::bigint[]) ORDER BY seq

-- name: find_delayed
-- Where a tenant's message is, if time alone holds it back; it stays so until the transaction ends.
SELECT seq FROM messages
WHERE tenant = :tenant AND id = :id AND finished_at IS NULL AND state = 'due'
FOR UPDATE

-- name: make_due
-- Messages wait for no time any more.
UPDATE messages SET due_at = least(due_at, :now::bigint) WHERE seq = ANY(:seqs::bigint[]) AND finished_at IS NULL
