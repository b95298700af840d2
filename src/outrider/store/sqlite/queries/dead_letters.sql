-- name: insert_dead_letters
-- Messages that were given up.
INSERT INTO dead_letters (
  tenant, id, message, failed_at, error, response_status, response_headers, response_truncated, response_body
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: page_of_dead_letters
-- A page of a tenant's dead letters, as pages.Line: where each is, and how much it and its message take.
SELECT json_group_array(json_array(failed_at, id, message, size, body_size)) FROM (
  SELECT
    d.failed_at, d.id, d.message, coalesce(length(d.response_body), 0) AS size,
    coalesce(length(m.body), (SELECT length(body) FROM bodies WHERE message = m.seq)) AS body_size
  FROM dead_letters AS d JOIN messages AS m ON m.seq = d.message
  WHERE d.tenant = :tenant /* and filter */
  ORDER BY d.failed_at DESC, d.id DESC
  LIMIT :limit
)

-- name: dead_letters_by_id
-- Dead letters as rows.DeadLetterRow; bodies of responses in hexadecimal.
SELECT json_group_array(json_array(
  id, message, failed_at, error,
  json_array(response_status, json(response_headers), response_truncated, hex(response_body))
))
FROM dead_letters WHERE tenant = :tenant AND id IN (SELECT value FROM json_each(:ids))

-- name: delete_dead_letters
-- Remove dead letters; their messages stay for the log retention.
DELETE FROM dead_letters WHERE tenant = :tenant AND id IN (SELECT value FROM json_each(:ids))

-- name: which_dead_letters
-- Those of the ids that exist.
SELECT json_group_array(id) FROM dead_letters
WHERE tenant = :tenant AND id IN (SELECT value FROM json_each(:ids))

-- name: end_of_dead_letters
-- The [failed_at, id] of the dead letter with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT json_group_array(json_array(failed_at, id)) FROM (
  SELECT d.failed_at, d.id FROM dead_letters AS d
  WHERE d.tenant = :tenant /* and bounds */
  ORDER BY d.failed_at DESC, d.id DESC
  LIMIT 1 OFFSET :skipped
)

-- name: count_dead_letters
-- How many of a tenant's dead letters there are.
SELECT json_array(count(*)) FROM dead_letters AS d JOIN messages AS m ON m.seq = d.message
WHERE d.tenant = :tenant /* and filter */

-- name: clusters_of_dead_letters
-- The largest groups of a tenant's dead letters by status and host: [status, host, error of the newest, count, newest].
SELECT json_group_array(json_array(status, host, error, letters, newest_at)) FROM (
  -- What is neither counted nor grouped by is that of the row with the maximum.
  SELECT
    coalesce(d.response_status, 0) AS status, m.host, d.error, count(*) AS letters, max(d.failed_at) AS newest_at
  FROM dead_letters AS d JOIN messages AS m ON m.seq = d.message
  WHERE d.tenant = :tenant /* and filter */
  GROUP BY coalesce(d.response_status, 0), m.host
  ORDER BY letters DESC, newest_at DESC
  LIMIT :limit
)
