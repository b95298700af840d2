-- The processes that deliver, and what is true of the whole installation.

-- Whose lease names none of these is nobody's.
CREATE TABLE nodes (
  id TEXT PRIMARY KEY,
  joined_at INTEGER NOT NULL,
  until INTEGER NOT NULL     -- when it counts as dead, unless it beats before
) STRICT, WITHOUT ROWID;

CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
