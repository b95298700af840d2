-- Messages on their way and what is left of them; entries; dead letters; tenants.
-- Instants are Unix milliseconds, `seq` is the order of arrival.

CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signing_keys (
  tenant TEXT PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
  current TEXT NOT NULL,
  next TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  scope TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX tokens_of_tenant ON tokens (tenant);

-- What changes stands first, what may be large last. A body over the limit in rows.py is not
-- here but in `bodies`, so that a change of state does not write it again.
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('due', 'held', 'leased', 'delivered', 'failed', 'canceled')),
  due_at INTEGER NOT NULL,
  retried INTEGER NOT NULL,
  lease TEXT,
  cancel_requested INTEGER NOT NULL,
  finished_at INTEGER,
  created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  host TEXT NOT NULL,
  path TEXT NOT NULL,
  url TEXT NOT NULL,
  queue TEXT,
  group_name TEXT,
  endpoint TEXT,
  schedule_id TEXT,
  flow_key TEXT,
  labels TEXT,               -- a JSON array
  caller_ip TEXT,
  callback_of TEXT,
  deduplication_key TEXT,
  deduplication_window_ms INTEGER,
  options TEXT NOT NULL,     -- DeliveryOptions as JSON, defaults left out
  body BLOB
) STRICT;

-- What time alone holds back. Claiming reads nothing but this index until it knows its rows;
-- without `state` in it SQLite would look that up in each of them.
CREATE INDEX messages_due ON messages (state, due_at, seq, host) WHERE state = 'due';
CREATE INDEX messages_leased ON messages (lease) WHERE state = 'leased';
-- Both ends of a tenant's life cycle: unfinished ones (NULL) in order of arrival, finished ones in order of ending.
CREATE INDEX messages_of_tenant ON messages (tenant, finished_at);
-- Filters; they cost only the messages that have such a thing.
CREATE INDEX messages_of_queue ON messages (tenant, queue) WHERE queue IS NOT NULL;
CREATE INDEX messages_of_group ON messages (tenant, group_name) WHERE group_name IS NOT NULL;
CREATE INDEX messages_of_schedule ON messages (tenant, schedule_id) WHERE schedule_id IS NOT NULL;
CREATE INDEX messages_of_flow_key ON messages (tenant, flow_key) WHERE flow_key IS NOT NULL;

CREATE TABLE bodies (
  message INTEGER PRIMARY KEY REFERENCES messages (seq) ON DELETE CASCADE,
  body BLOB NOT NULL
) STRICT;

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  message INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
  tenant TEXT NOT NULL,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  next_delivery_at INTEGER,
  duration_ms INTEGER,
  error TEXT,
  response_status INTEGER,
  response_headers TEXT,     -- a JSON array of [name, value]
  response_truncated INTEGER,
  response_body BLOB
) STRICT;

CREATE INDEX events_of_tenant ON events (tenant, time);
CREATE INDEX events_of_message ON events (message);

CREATE TABLE dead_letters (
  seq INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  id TEXT NOT NULL,
  message INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
  failed_at INTEGER NOT NULL,
  error TEXT NOT NULL,
  response_status INTEGER,   -- NULL: there was no response
  response_headers TEXT,
  response_truncated INTEGER,
  response_body BLOB,
  UNIQUE (tenant, id)
) STRICT;

CREATE INDEX dead_letters_of_tenant ON dead_letters (tenant, failed_at, id);
CREATE INDEX dead_letters_of_message ON dead_letters (message);

CREATE TABLE deduplications (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  message_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX deduplications_expired ON deduplications (expires_at);

-- One row, written to learn whether commits succeed.
CREATE TABLE checks (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  checked_at INTEGER NOT NULL
) STRICT;
