-- name: insert_events
-- Entries in the order they happened.
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

-- name: seqs_of_messages
-- Where messages are: [id, tenant, seq]. Those that are finished are looked for only if they are asked for.
WITH unfinished AS (
  SELECT id, tenant, seq FROM messages WHERE id = ANY(:ids::text[]) AND finished_at IS NULL
), finished AS (
  SELECT id, tenant, seq FROM messages
  WHERE finished_at IS NOT NULL
    AND id = ANY(ARRAY(SELECT wanted FROM unnest(:ids::text[]) AS wanted EXCEPT SELECT id FROM unfinished))
)
SELECT coalesce(json_agg(json_build_array(id, tenant, seq)), '[]')::text
FROM (SELECT * FROM unfinished UNION ALL SELECT * FROM finished) AS found

-- name: page_of_log
-- A page of a tenant's entries, as pages.Line: where each is, and how much it and its message take.
SELECT coalesce(json_agg(json_build_array(time, id, message, size, body_size)), '[]')::text FROM (
  SELECT
    e.time, e.id, e.message, coalesce(length(e.response_body), 0) AS size, length(m.body) AS body_size
  FROM events AS e JOIN messages AS m ON m.seq = e.message
  WHERE e.tenant = :tenant /* and filter */
  ORDER BY e.time DESC, e.id DESC
  LIMIT :limit
) AS page

-- name: events_by_id
-- Entries as rows.EventRow, by id and time; bodies of responses in hexadecimal.
SELECT coalesce(json_agg(json_build_array(
  e.id, e.message, e.tenant, e.time, e.kind, e.next_delivery_at, e.duration_ms, e.error,
  json_build_array(
    e.response_status, e.response_headers, e.response_truncated::int, coalesce(encode(e.response_body, 'hex'), '')
  )
)), '[]')::text
FROM unnest(:ids::bigint[], :times::bigint[]) AS wanted (id, time)
JOIN events AS e ON e.tenant = :tenant AND e.time = wanted.time AND e.id = wanted.id

-- name: count_entries
-- How many entries of each kind a tenant has between two moments, as [kind, count].
SELECT coalesce(json_agg(json_build_array(kind, entries)), '[]')::text FROM (
  SELECT kind, count(*) AS entries FROM events
  WHERE tenant = :tenant AND time >= :since AND time < :until GROUP BY kind
) AS counted

-- name: end_of_log
-- The [time, id] of the entry with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT coalesce(json_agg(json_build_array(time, id)), '[]')::text FROM (
  SELECT e.time, e.id FROM events AS e
  WHERE e.tenant = :tenant /* and bounds */
  ORDER BY e.time DESC, e.id DESC
  LIMIT 1 OFFSET :skipped
) AS ending
