-- name: find_some_messages
-- A tenant's messages, as many as are asked for, in no order.
SELECT json_group_array(seq) FROM (
  SELECT m.seq FROM messages AS m
  WHERE m.tenant = :tenant /* and filter */
  LIMIT :limit
)

-- name: page_of_messages
-- A tenant's unfinished messages, soonest due first, as pages.Line: of those that wait as many as are asked for, and of those that are held.
SELECT json_group_array(json_array(due_at, seq, seq, 0, body_size)) FROM (
  SELECT * FROM (
    SELECT
      m.due_at, m.seq,
      coalesce(length(m.body), (SELECT length(body) FROM bodies WHERE message = m.seq)) AS body_size
    FROM messages AS m
    WHERE m.tenant = :tenant AND m.state IN ('due', 'held') /* and filter */
    ORDER BY m.due_at, m.seq
    LIMIT :limit
  )
  UNION ALL
  -- Found by the index of what is held: a `+` takes that of the tenant away, which has what is finished too.
  SELECT * FROM (
    SELECT
      m.due_at, m.seq,
      coalesce(length(m.body), (SELECT length(body) FROM bodies WHERE message = m.seq)) AS body_size
    FROM messages AS m
    WHERE +m.tenant = :tenant AND m.state = 'leased' /* and filter */
    ORDER BY m.due_at, m.seq
    LIMIT :limit
  )
)

-- name: end_of_messages
-- The [due_at, seq] of the waiting message with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT json_group_array(json_array(due_at, seq)) FROM (
  SELECT m.due_at, m.seq FROM messages AS m
  WHERE m.tenant = :tenant AND m.state IN ('due', 'held') /* and bounds */
  ORDER BY m.due_at, m.seq
  LIMIT 1 OFFSET :skipped
)

-- name: count_unfinished
-- How many of a tenant's messages wait or are held.
SELECT json_array(
  (SELECT count(*) FROM messages AS m WHERE m.tenant = :tenant AND m.state IN ('due', 'held') /* and filter */)
  + (SELECT count(*) FROM messages AS m WHERE +m.tenant = :tenant AND m.state = 'leased' /* and filter */)
)

-- name: page_of_logged
-- A tenant's entries that are the latest of their messages, as `page_of_log` gives them. Named by `m`, later ones are looked for last, of entries that all else is true of.
SELECT json_group_array(json_array(time, id, message, 0, body_size)) FROM (
  SELECT
    e.time, e.id, e.message,
    coalesce(length(m.body), (SELECT length(body) FROM bodies WHERE message = m.seq)) AS body_size
  FROM events AS e JOIN messages AS m ON m.seq = e.message
  WHERE e.tenant = :tenant /* and filter */
    AND NOT EXISTS (
      SELECT 1 FROM events AS later
      WHERE later.message = m.seq AND (later.time, later.id) > (e.time, e.id) /* and later */
    )
  ORDER BY e.time DESC, e.id DESC
  LIMIT :limit
)

-- name: summaries_of_messages
-- What the log says of messages: [message, entries, first time, last time, attempts that ended, [status, error] of the last].
SELECT json_group_array(json_array(
  message, entries, first_at, last_at, attempts,
  json((
    SELECT json_array(response_status, error) FROM events AS e
    WHERE e.message = of_all.message AND e.kind IN ('DELIVERED', 'ERROR')
    ORDER BY e.time DESC, e.id DESC
    LIMIT 1
  ))
))
FROM (
  SELECT
    message, count(*) AS entries, min(time) AS first_at, max(time) AS last_at,
    sum(kind IN ('DELIVERED', 'ERROR')) AS attempts
  FROM events WHERE message IN (SELECT value FROM json_each(:seqs))
  GROUP BY message
) AS of_all
