-- name: standings
-- Where messages stand at the gates, as gates.Standing; those without a row pass none.
SELECT json_group_array(json_array(message, line, slot, wait_list, place, admitted, source)) FROM gated
WHERE message IN (SELECT value FROM json_each(:messages))

-- name: write_standings
-- Where messages stand now.
INSERT OR REPLACE INTO gated (message, line, slot, wait_list, place, admitted, source) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: forget_standings
-- Messages that stand at no gate any more.
DELETE FROM gated WHERE message IN (SELECT value FROM json_each(:messages))

-- name: hold
-- Messages that a gate holds back.
UPDATE messages SET state = 'held', lease = NULL WHERE seq IN (SELECT value FROM json_each(:messages))

-- name: let_through
-- Messages that a gate held back are due, now or when they were to be.
UPDATE messages SET state = 'due', due_at = max(due_at, :now) WHERE seq IN (SELECT value FROM json_each(:messages))

-- name: slot_holders
-- Which of these messages hold a slot: [id, seq].
SELECT json_group_array(json_array(m.id, m.seq))
FROM json_each(:ids) AS wanted
CROSS JOIN messages AS m ON m.id = wanted.value
CROSS JOIN gated AS g ON g.message = m.seq
WHERE g.slot IS NOT NULL

-- name: slots_to_free
-- Which of these messages are finished, callbacks included, but still hold a slot: [seq, queue].
SELECT json_group_array(json_array(g.message, g.slot))
FROM json_each(:messages) AS wanted
CROSS JOIN gated AS g ON g.message = wanted.value
CROSS JOIN messages AS m ON m.seq = g.message
WHERE g.slot IS NOT NULL AND m.finished_at IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM gated AS report WHERE report.source = g.message)
