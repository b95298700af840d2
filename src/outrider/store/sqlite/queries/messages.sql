-- What is read in many rows comes as one JSON array: a thread that fetches row by row hands over the
-- interpreter lock for each of them.

-- name: insert_messages
-- New messages, one row each; `seq` follows the order of the rows.
INSERT INTO messages (
  id, tenant, state, due_at, retried, lease, cancel_requested, finished_at, created_at, not_before,
  host, path, url, queue, group_name, endpoint, schedule_id, flow_key, labels, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options, body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_bodies
-- The bodies that are too large to stand in their messages' rows.
INSERT INTO bodies (message, body) VALUES (?, ?)

-- name: log_creation
-- The CREATED entries of messages that were just inserted.
INSERT INTO events (message, tenant, time, kind)
SELECT seq, tenant, created_at, 'CREATED' FROM messages WHERE seq BETWEEN :first AND :last ORDER BY seq

-- name: find_duplicates
-- What is remembered of the wanted [tenant, key] pairs.
SELECT json_group_array(json_array(d.tenant, d.key, d.message_id, d.expires_at))
FROM json_each(:wanted) AS wanted
CROSS JOIN deduplications AS d ON d.tenant = wanted.value ->> 0 AND d.key = wanted.value ->> 1

-- name: remember_keys
-- Deduplication keys with the message that had them first; an expired one is replaced.
INSERT OR REPLACE INTO deduplications (tenant, key, message_id, expires_at) VALUES (?, ?, ?, ?)

-- name: find_due
-- The earliest messages that are due, of all hosts but these or of these alone. Read from messages_due alone.
SELECT json_group_array(seq) FROM (
  SELECT seq FROM messages
  WHERE state = 'due' AND due_at <= :now AND (host IN (SELECT value FROM json_each(:hosts))) = :are_all
  ORDER BY due_at, seq
  LIMIT :limit
)

-- name: find_lanes
-- The earliest message of each tenant at each host, due now or later, of those after one: [tenant, host, due_at].
-- A comparison of rows would use the index for the tenant alone, and walk all that waits in the lanes before.
WITH RECURSIVE fronts (seq, tenant, host, due_at) AS (
  SELECT NULL, :tenant, :host, NULL
  UNION ALL
  SELECT next.seq, next.tenant, next.host, next.due_at
  FROM fronts CROSS JOIN messages AS next ON next.seq = coalesce(
    (SELECT m.seq FROM messages AS m
      WHERE m.state = 'due' AND m.tenant = fronts.tenant AND m.host > fronts.host
      ORDER BY m.host, m.due_at, m.seq
      LIMIT 1),
    (SELECT m.seq FROM messages AS m
      WHERE m.state = 'due' AND m.tenant > fronts.tenant
      ORDER BY m.tenant, m.host, m.due_at, m.seq
      LIMIT 1)
  )
  LIMIT :most + 1
)
SELECT json_group_array(json_array(tenant, host, due_at)) FROM fronts WHERE seq IS NOT NULL

-- name: due_in_lanes
-- The earliest due messages of each of these [tenant, host], as turns.Candidate, but for those already taken.
SELECT json_group_array(json_array(seq, lane, tenant_of_key)) FROM (
  SELECT m.seq, lane.key AS lane, iif(m.flow_key IS NULL, NULL, m.tenant) AS tenant_of_key
  FROM json_each(:lanes) AS lane CROSS JOIN messages AS m ON m.seq IN (
    SELECT seq FROM messages
    WHERE state = 'due' AND tenant = lane.value ->> 0 AND host = lane.value ->> 1 AND due_at <= :now
    ORDER BY due_at, seq
    LIMIT :each OFFSET :taken
  )
  ORDER BY lane.key, m.due_at, m.seq
)

-- name: next_due_at
-- When the next is due, of all hosts but these or of these alone.
SELECT due_at FROM messages
WHERE state = 'due' AND (host IN (SELECT value FROM json_each(:hosts))) = :are_all
ORDER BY due_at, seq
LIMIT 1

-- name: lease
-- Give messages to a node.
UPDATE messages SET state = 'leased', lease = :node WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: messages_by_seq
-- Messages as rows.MessageRow; bodies in hexadecimal, the large ones left out.
SELECT json_group_array(json_array(
  seq, id, tenant, state, due_at, retried, lease, cancel_requested, finished_at, created_at, not_before,
  url, queue, group_name, endpoint, schedule_id, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, json(options), hex(body)
))
FROM messages WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: bodies_by_seq
-- The large bodies of messages.
SELECT message, body FROM bodies WHERE message IN (SELECT value FROM json_each(:seqs))

-- name: seq_of_message
-- Where a tenant's message is.
SELECT seq FROM messages WHERE tenant = :tenant AND id = :id

-- name: standing
-- What the fences of settlements are compared with.
SELECT json_group_array(json_array(id, seq, tenant, state, lease, retried, cancel_requested)) FROM messages
WHERE id IN (SELECT value FROM json_each(:ids))

-- name: settle_messages
-- What became of attempts: state, when due, retried, when finished.
WITH settled (seq, state, due_at, retried, finished_at) AS (VALUES (?, ?, ?, ?, ?))
UPDATE messages SET
  state = settled.state, due_at = settled.due_at, retried = settled.retried, finished_at = settled.finished_at,
  lease = NULL
FROM settled
WHERE messages.seq = settled.seq

-- name: leased_by_id
-- Which of these messages a node holds, as messages.Leased.
SELECT json_group_array(json_array(seq, id, tenant, cancel_requested)) FROM messages
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'leased' AND lease = :node

-- name: end_leases
-- Unattempted messages are due again as they were before.
UPDATE messages SET state = 'due', lease = NULL WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: find_cancelable
-- A tenant's unfinished messages of which no cancellation was asked yet, oldest first.
SELECT json_group_array(json_array(seq, id, state)) FROM (
  SELECT m.seq, m.id, m.state FROM messages AS m
  WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.cancel_requested = 0 /* and filter */
  ORDER BY m.seq
  LIMIT :limit
)

-- name: cancel_messages
-- The end of messages that no node holds any more.
UPDATE messages SET state = 'canceled', finished_at = :now, lease = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: request_cancellations
-- Messages that a node holds are not attempted again.
UPDATE messages SET cancel_requested = 1 WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: log_entries
-- The same entry for messages that changed together.
INSERT INTO events (message, tenant, time, kind)
SELECT seq, tenant, :now, :kind FROM messages WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq

-- name: find_delayed
-- Where a tenant's message is, if time alone holds it back.
SELECT seq FROM messages WHERE tenant = :tenant AND id = :id AND state = 'due'

-- name: make_due
-- Messages wait for no time any more.
UPDATE messages SET due_at = min(due_at, :now) WHERE seq IN (SELECT value FROM json_each(:seqs))
