-- name: insert_events
-- Entries in the order they happened.
INSERT INTO events (
  message, tenant, time, kind, next_delivery_at, duration_ms, error,
  response_status, response_headers, response_truncated, response_body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: seqs_of_messages
-- Where messages are: [id, tenant, seq].
SELECT json_group_array(json_array(id, tenant, seq)) FROM messages WHERE id IN (SELECT value FROM json_each(:ids))

-- name: page_of_log
-- A page of a tenant's entries, as pages.Line: where each is, and how much it and its message take.
SELECT json_group_array(json_array(time, id, message, size, body_size)) FROM (
  SELECT
    e.time, e.id, e.message, coalesce(length(e.response_body), 0) AS size,
    coalesce(length(m.body), (SELECT length(body) FROM bodies WHERE message = m.seq)) AS body_size
  FROM events AS e JOIN messages AS m ON m.seq = e.message
  WHERE e.tenant = :tenant /* and filter */
  ORDER BY e.time DESC, e.id DESC
  LIMIT :limit
)

-- name: events_by_id
-- Entries as rows.EventRow; bodies of responses in hexadecimal.
SELECT json_group_array(json_array(
  id, message, tenant, time, kind, next_delivery_at, duration_ms, error,
  json_array(response_status, json(response_headers), response_truncated, hex(response_body))
))
FROM events WHERE id IN (SELECT value FROM json_each(:ids))

-- name: count_entries
-- How many entries of each kind a tenant has between two moments, as [kind, count].
SELECT json_group_array(json_array(kind, entries)) FROM (
  SELECT kind, count(*) AS entries FROM events
  WHERE tenant = :tenant AND time >= :since AND time < :until GROUP BY kind
)

-- name: end_of_log
-- The [time, id] of the entry with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT json_group_array(json_array(time, id)) FROM (
  SELECT e.time, e.id FROM events AS e
  WHERE e.tenant = :tenant /* and bounds */
  ORDER BY e.time DESC, e.id DESC
  LIMIT 1 OFFSET :skipped
)
