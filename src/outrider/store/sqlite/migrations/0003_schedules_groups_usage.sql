-- Schedules, URL groups, and how many messages each tenant publishes a day.

-- `schedule` is all of it as JSON but for the body; what is searched by stands beside it.
CREATE TABLE schedules (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  id TEXT NOT NULL,
  next_fire_at INTEGER,      -- NULL: it never fires again
  created_at INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX schedules_due ON schedules (next_fire_at) WHERE next_fire_at IS NOT NULL;

CREATE TABLE url_groups (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  url_group TEXT NOT NULL,   -- UrlGroup as JSON
  PRIMARY KEY (tenant, name)
) STRICT;

-- A row for each UTC day on which a tenant published; `day` is its first instant.
CREATE TABLE usage (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

-- Today's messages were counted by nobody yet; those of earlier releases count as well.
INSERT INTO usage (tenant, day, messages)
SELECT tenant, created_at / 86400000 * 86400000 AS day, count(*) FROM messages
WHERE callback_of IS NULL
GROUP BY tenant, day;
