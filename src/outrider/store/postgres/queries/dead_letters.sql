-- name: insert_dead_letters
-- Messages that were given up, with the columns of their messages.
INSERT INTO dead_letters (
  tenant, id, message, failed_at, error, response_status, response_headers, response_truncated, response_body,
  due_at, finished_at, created_at, not_before, deduplication_window_ms, retried, cancel_requested, state, message_id,
  host, path, url, queue, group_name, endpoint, schedule_id, flow_key, caller_ip, callback_of,
  deduplication_key, labels, options, body
)
SELECT
  l.tenant, l.id, l.message, l.failed_at, l.error,
  l.response_status, l.response_headers::json, l.response_truncated, l.response_body,
  m.due_at, m.finished_at, m.created_at, m.not_before, m.deduplication_window_ms, m.retried, m.cancel_requested,
  m.state, m.id, m.host, m.path, m.url, m.queue, m.group_name, m.endpoint, m.schedule_id, m.flow_key, m.caller_ip,
  m.callback_of, m.deduplication_key, m.labels, m.options, m.body
FROM unnest(
  :rows.1::text[], :rows.2::text[], :rows.3::bigint[], :rows.4::bigint[], :rows.5::text[],
  :rows.6::int[], :rows.7::text[], :rows.8::boolean[], :rows.9::bytea[]
) AS l (
  tenant, id, message, failed_at, error, response_status, response_headers, response_truncated, response_body
)
JOIN messages AS m ON m.seq = l.message

-- name: page_of_dead_letters
-- A page of a tenant's dead letters, as pages.Line: where each is, and how much it and its message take.
SELECT coalesce(json_agg(json_build_array(failed_at, id, message, size, body_size)), '[]')::text FROM (
  SELECT
    d.failed_at, d.id, d.message, coalesce(length(d.response_body), 0) AS size, length(d.body) AS body_size
  FROM dead_letters AS d CROSS JOIN LATERAL (
    SELECT
      d.message_id AS id, d.url, d.path, d.host, d.group_name, d.queue, d.schedule_id, d.flow_key, d.caller_ip, d.labels
  ) AS m
  WHERE d.tenant = :tenant /* and filter */
  ORDER BY d.failed_at DESC, d.id DESC
  LIMIT :limit
) AS page

-- name: dead_letters_by_id
-- Dead letters as rows.DeadLetterRow; bodies of responses in hexadecimal.
SELECT coalesce(json_agg(json_build_array(
  id, message, failed_at, error,
  json_build_array(
    response_status, response_headers, response_truncated::int, coalesce(encode(response_body, 'hex'), '')
  )
)), '[]')::text
FROM dead_letters WHERE tenant = :tenant AND id = ANY(:ids::text[])

-- name: messages_of_dead_letters
-- Messages, as `messages_by_seq` gives them, that are dead letters.
SELECT DISTINCT ON (message) json_build_array(
  message, message_id, tenant, state, due_at, retried, NULL, cancel_requested::int, finished_at, created_at, not_before,
  url, queue, group_name, endpoint, schedule_id, caller_ip, callback_of,
  deduplication_key, deduplication_window_ms, options, ''
)::text, body
FROM dead_letters WHERE message = ANY(:seqs::bigint[])
ORDER BY message

-- name: delete_dead_letters
-- Remove dead letters; their messages stay for the log retention.
DELETE FROM dead_letters WHERE tenant = :tenant AND id = ANY(:ids::text[])

-- name: which_dead_letters
-- Those of the ids that exist; they do until the transaction ends.
SELECT coalesce(json_agg(id), '[]')::text FROM (
  SELECT id FROM dead_letters WHERE tenant = :tenant AND id = ANY(:ids::text[]) ORDER BY seq FOR UPDATE
) AS there

-- name: end_of_dead_letters
-- The [failed_at, id] of the dead letter with so many of the tenant's before it, if there are as many. Read from an index alone.
SELECT coalesce(json_agg(json_build_array(failed_at, id)), '[]')::text FROM (
  SELECT d.failed_at, d.id FROM dead_letters AS d
  WHERE d.tenant = :tenant /* and bounds */
  ORDER BY d.failed_at DESC, d.id DESC
  LIMIT 1 OFFSET :skipped
) AS ending

-- name: count_dead_letters
-- How many of a tenant's dead letters there are.
SELECT json_build_array(count(*))::text FROM dead_letters AS d CROSS JOIN LATERAL (
  SELECT
    d.message_id AS id, d.url, d.path, d.host, d.group_name, d.queue, d.schedule_id, d.flow_key, d.caller_ip, d.labels
) AS m
WHERE d.tenant = :tenant /* and filter */

-- name: clusters_of_dead_letters
-- The largest groups of a tenant's dead letters by status and host: [status, host, error of the newest, count, newest].
SELECT coalesce(json_agg(json_build_array(status, host, error, letters, newest_at)), '[]')::text FROM (
  SELECT
    coalesce(d.response_status, 0) AS status, m.host, (array_agg(d.error ORDER BY d.failed_at DESC))[1] AS error,
    count(*) AS letters, max(d.failed_at) AS newest_at
  FROM dead_letters AS d CROSS JOIN LATERAL (
    SELECT
      d.message_id AS id, d.url, d.path, d.host, d.group_name, d.queue, d.schedule_id, d.flow_key, d.caller_ip, d.labels
  ) AS m
  WHERE d.tenant = :tenant /* and filter */
  GROUP BY coalesce(d.response_status, 0), m.host
  ORDER BY letters DESC, newest_at DESC
  LIMIT :limit
) AS clusters
