-- name: lock_tenants
-- Nobody else holds the lock of these tenants until the transaction ends. Rows that refer to them may still be written.
SELECT 1 FROM tenants WHERE id = ANY(:tenants::text[]) ORDER BY id FOR NO KEY UPDATE

-- name: gated_tenants
-- The tenants of those of these messages that stand at a gate.
SELECT coalesce(json_agg(DISTINCT m.tenant), '[]')::text
FROM messages AS m JOIN gated AS g ON g.message = m.seq
WHERE m.id = ANY(:ids::text[])

-- name: claim_tenants
-- The tenants whose gates a claim may have to do with: of the earliest due messages with a key, and of what is to open.
SELECT coalesce(json_agg(DISTINCT tenant), '[]')::text FROM (
  (SELECT tenant FROM messages
    WHERE state = 'due' AND flow_key IS NOT NULL AND finished_at IS NULL
      AND due_at <= :now AND (host = ANY(:hosts::text[])) = :are_all::boolean
    ORDER BY due_at, seq
    LIMIT :limit)
  UNION ALL
  (SELECT tenant FROM queues WHERE opens_at <= :now ORDER BY opens_at LIMIT 100)
  UNION ALL
  (SELECT tenant FROM flow_keys WHERE opens_at <= :now ORDER BY opens_at LIMIT 100)
) AS concerned

-- name: standings
-- Where messages stand at the gates, as gates.Standing; those without a row pass none.
SELECT coalesce(json_agg(json_build_array(message, line, slot, wait_list, place, admitted, source)), '[]')::text
FROM gated WHERE message = ANY(:messages::bigint[])

-- name: write_standings
-- Where messages stand now.
INSERT INTO gated (message, line, slot, wait_list, place, admitted, source)
SELECT * FROM unnest(
  :rows.1::bigint[], :rows.2::bigint[], :rows.3::bigint[], :rows.4::bigint[], :rows.5::bigint[], :rows.6::bigint[],
  :rows.7::bigint[]
)
ON CONFLICT (message) DO UPDATE SET
  line = excluded.line, slot = excluded.slot, wait_list = excluded.wait_list, place = excluded.place,
  admitted = excluded.admitted, source = excluded.source

-- name: forget_standings
-- Messages that stand at no gate any more.
DELETE FROM gated WHERE message = ANY(:messages::bigint[])

-- name: hold
-- Messages that a gate holds back.
UPDATE messages SET state = 'held', lease = NULL WHERE seq = ANY(:messages::bigint[]) AND finished_at IS NULL

-- name: let_through
-- Messages that a gate held back are due, now or when they were to be.
UPDATE messages SET state = 'due', due_at = greatest(due_at, :now)
WHERE seq = ANY(:messages::bigint[]) AND finished_at IS NULL

-- name: slot_holders
-- Which of these messages hold a slot: [id, seq].
SELECT coalesce(json_agg(json_build_array(m.id, m.seq)), '[]')::text
FROM messages AS m JOIN gated AS g ON g.message = m.seq
WHERE m.id = ANY(:ids::text[]) AND g.slot IS NOT NULL

-- name: slots_to_free
-- Which of these messages are finished, callbacks included, but still hold a slot: [seq, queue].
SELECT coalesce(json_agg(json_build_array(g.message, g.slot)), '[]')::text
FROM gated AS g
WHERE g.message = ANY(:messages::bigint[]) AND g.slot IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM messages AS m WHERE m.seq = g.message AND m.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM gated AS report WHERE report.source = g.message)
