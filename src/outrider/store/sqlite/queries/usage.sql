-- name: messages_on
-- How many messages a tenant published in a day.
SELECT messages FROM usage WHERE tenant = :tenant AND day = :day

-- name: count_messages
-- So many more messages of a tenant in a day.
WITH counted (tenant, day, messages) AS (VALUES (?, ?, ?))
INSERT INTO usage (tenant, day, messages) SELECT tenant, day, messages FROM counted WHERE true
ON CONFLICT (tenant, day) DO UPDATE SET messages = messages + excluded.messages
