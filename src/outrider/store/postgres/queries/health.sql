-- name: endpoint_attempts
-- The latest attempts of an endpoint that ended: [entry, time, duration_ms, kind]. Bounded: of the :limit messages that came last, of those attempted at all.
SELECT coalesce(json_agg(json_build_array(id, time, duration_ms, kind)), '[]')::text FROM (
  SELECT e.id, e.time, e.duration_ms, e.kind
  FROM (
    SELECT seq FROM messages
    WHERE tenant = :tenant AND group_name = :group AND url = :url
      AND (retried > 0 OR finished_at IS NOT NULL)
    ORDER BY seq DESC LIMIT :limit
  ) AS m JOIN events AS e ON e.message = m.seq
  WHERE e.kind IN ('DELIVERED', 'ERROR')
  ORDER BY e.time DESC, e.id DESC
  LIMIT :limit
) AS latest

-- name: error_of_event
-- What an entry says went wrong.
SELECT error FROM events WHERE tenant = :tenant AND time = :time AND id = :id
