-- name: create_copies
-- How far a copy to this database is, one row a table; `last_key` is a JSON array.
CREATE TABLE IF NOT EXISTS copies (
  name text PRIMARY KEY,
  source text NOT NULL,
  last_key text NOT NULL,
  rows bigint NOT NULL,
  digest text NOT NULL,
  changed bigint NOT NULL,
  finished boolean NOT NULL
)

-- name: claim_for_copy
-- Nobody serves from this database before the copy is finished.
INSERT INTO facts (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- name: begin_table
-- Nothing of a table is copied yet.
INSERT INTO copies (name, source, last_key, rows, digest, changed, finished) VALUES ($1, $2, $3, 0, $4, 0, false)
ON CONFLICT (name) DO NOTHING

-- name: progress
-- How far each table is.
SELECT name, source, last_key, rows, digest, changed, finished FROM copies

-- name: advance
-- The same transaction has more rows of a table, if nobody else had them meanwhile.
UPDATE copies SET last_key = $4, rows = $5, digest = $6, changed = $7 WHERE name = $1 AND source = $2 AND last_key = $3

-- name: release
-- The copy is finished, and the database is for what its source was for.
UPDATE facts SET value = $3 WHERE name = $1 AND value = $2

-- name: finish
-- Every table is copied.
UPDATE copies SET finished = true WHERE source = $1

-- name: is_partitioned
-- Whether the log is divided into days here.
SELECT count(*) > 0 FROM pg_class WHERE oid = 'events'::regclass AND relkind = 'p'
