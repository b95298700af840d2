-- name: messages_on
-- How many messages a tenant published in a day.
SELECT coalesce(sum(messages), 0)::bigint FROM usage WHERE tenant = :tenant AND day = :day

-- name: count_messages
-- So many more messages of a tenant in a day, on one lane.
INSERT INTO usage (tenant, day, messages, lane)
SELECT tenant, day, messages, :lane::int
FROM unnest(:rows.1::text[], :rows.2::bigint[], :rows.3::bigint[]) AS counted (tenant, day, messages)
ON CONFLICT (tenant, day, lane) DO UPDATE SET messages = usage.messages + excluded.messages
