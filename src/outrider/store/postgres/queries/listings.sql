-- name: find_some_messages
-- A tenant's messages, as many as are asked for, in no order.
SELECT coalesce(json_agg(seq), '[]')::text FROM (
  SELECT m.seq FROM messages AS m
  WHERE m.tenant = :tenant /* and filter */
  LIMIT :limit
) AS found

-- name: page_of_messages
-- A tenant's unfinished messages, soonest due first, as pages.Line: of those that wait as many as are asked for, and of those that are held.
SELECT coalesce(json_agg(json_build_array(due_at, seq, seq, 0, body_size)), '[]')::text FROM (
  (
    SELECT m.due_at, m.seq, length(m.body) AS body_size FROM messages AS m
    WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.state IN ('due', 'held') /* and filter */
    ORDER BY m.due_at, m.seq
    LIMIT :limit
  )
  UNION ALL
  (
    SELECT m.due_at, m.seq, length(m.body) AS body_size FROM messages AS m
    WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.state = 'leased' /* and filter */
    ORDER BY m.due_at, m.seq
    LIMIT :limit
  )
) AS page

-- name: end_of_messages
-- The [due_at, seq] of the waiting message with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT coalesce(json_agg(json_build_array(due_at, seq)), '[]')::text FROM (
  SELECT m.due_at, m.seq FROM messages AS m
  WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.state IN ('due', 'held') /* and bounds */
  ORDER BY m.due_at, m.seq
  LIMIT 1 OFFSET :skipped
) AS ending

-- name: count_unfinished
-- How many of a tenant's messages wait or are held.
SELECT json_build_array(
  (
    SELECT count(*) FROM messages AS m
    WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.state IN ('due', 'held') /* and filter */
  ) + (
    SELECT count(*) FROM messages AS m
    WHERE m.tenant = :tenant AND m.finished_at IS NULL AND m.state = 'leased' /* and filter */
  )
)::text

-- name: page_of_logged
-- A tenant's entries that are the latest of their messages, as `page_of_log` gives them.
SELECT coalesce(json_agg(json_build_array(time, id, message, 0, body_size)), '[]')::text FROM (
  SELECT e.time, e.id, e.message, length(m.body) AS body_size
  FROM events AS e JOIN messages AS m ON m.seq = e.message
  WHERE e.tenant = :tenant /* and filter */
    AND NOT EXISTS (
      SELECT 1 FROM events AS later
      WHERE later.message = e.message AND (later.time, later.id) > (e.time, e.id) /* and later */
    )
  ORDER BY e.time DESC, e.id DESC
  LIMIT :limit
) AS page

-- name: summaries_of_messages
-- What the log says of messages: [message, entries, first time, last time, attempts that ended, [status, error] of the last].
SELECT coalesce(json_agg(json_build_array(message, entries, first_at, last_at, attempts, outcome)), '[]')::text
FROM (
  SELECT
    message, count(*) AS entries, min(time) AS first_at, max(time) AS last_at,
    count(*) FILTER (WHERE kind IN ('DELIVERED', 'ERROR')) AS attempts
  FROM events WHERE message = ANY(:seqs::bigint[])
  GROUP BY message
) AS of_all LEFT JOIN LATERAL (
  SELECT json_build_array(e.response_status, e.error) AS outcome FROM events AS e
  WHERE e.message = of_all.message AND e.kind IN ('DELIVERED', 'ERROR')
  ORDER BY e.time DESC, e.id DESC
  LIMIT 1
) AS latest ON true
