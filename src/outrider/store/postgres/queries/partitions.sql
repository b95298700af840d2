-- The statements here are completed by partitions.py: {day} is 20270115, {begin} and {end} its first instant and the next day's.

-- name: lock_partitions
-- One at a time makes or drops partitions.
SELECT pg_advisory_xact_lock(7011600431907002)

-- name: make_day
-- The partitions of a UTC day.
CREATE TABLE IF NOT EXISTS events_{day} PARTITION OF events FOR VALUES FROM ({begin}) TO ({end});
CREATE TABLE IF NOT EXISTS messages_{day} PARTITION OF messages FOR VALUES FROM ({begin}) TO ({end});
CREATE INDEX IF NOT EXISTS messages_{day}_seq ON messages_{day} (seq);
CREATE INDEX IF NOT EXISTS messages_{day}_id ON messages_{day} (id);

-- name: drop_day
-- A day that has passed its retention.
DROP TABLE IF EXISTS events_{day};
DROP TABLE IF EXISTS messages_{day};

-- name: list_days
-- The days that there are partitions of, earliest first.
SELECT substring(inhrelid::regclass::text FROM '[0-9]{8}$') FROM pg_inherits
WHERE inhparent = 'events'::regclass
ORDER BY 1
