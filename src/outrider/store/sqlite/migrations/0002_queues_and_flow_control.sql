-- Queues, flow-control keys, and where messages stand at their gates.

CREATE TABLE queues (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, so that a slot of a deleted queue is no other's
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  parallelism INTEGER NOT NULL DEFAULT 1,
  paused INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  in_use INTEGER NOT NULL DEFAULT 0,     -- gated rows with this slot
  waiting INTEGER NOT NULL DEFAULT 0,    -- gated rows in this line
  opens_at INTEGER,                      -- when a claim has to let some of the line through
  UNIQUE (tenant, name)
) STRICT;

CREATE INDEX queues_opening ON queues (opens_at) WHERE opens_at IS NOT NULL;

CREATE TABLE flow_keys (
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  parallelism INTEGER,
  rate INTEGER,
  period_ms INTEGER NOT NULL DEFAULT 1000,
  paused INTEGER NOT NULL DEFAULT 0,
  pinned_parallelism INTEGER NOT NULL DEFAULT 0,
  pinned_rate INTEGER NOT NULL DEFAULT 0,
  in_flight INTEGER NOT NULL DEFAULT 0,  -- gated rows admitted by this key
  window_started_at INTEGER,
  window_count INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0,    -- gated rows on this wait list
  next_place INTEGER NOT NULL DEFAULT 1,
  opens_at INTEGER,                      -- when a claim has to let some of the list through
  used_at INTEGER NOT NULL,
  UNIQUE (tenant, key)
) STRICT;

CREATE INDEX flow_keys_opening ON flow_keys (opens_at) WHERE opens_at IS NOT NULL;
CREATE INDEX flow_keys_idle ON flow_keys (used_at)
WHERE in_flight = 0 AND waiting = 0 AND paused = 0 AND pinned_parallelism = 0 AND pinned_rate = 0;

-- Messages that a gate holds back or counts, and no others: what passes no gate costs nothing here.
CREATE TABLE gated (
  message INTEGER PRIMARY KEY REFERENCES messages (seq) ON DELETE CASCADE,
  line INTEGER,       -- the queue in whose line it stands
  slot INTEGER,       -- the queue of which it holds a slot
  wait_list INTEGER,  -- the key on whose list it stands
  place INTEGER,      -- there, or where it stood before it was admitted
  admitted INTEGER,   -- the key in whose flight it counts
  source INTEGER      -- the holder of a slot that this unfinished message is a callback of
) STRICT;

-- In each line, messages stand in order of arrival: an index ends with the `message` of its rows.
CREATE INDEX gated_in_line ON gated (line) WHERE line IS NOT NULL;
CREATE INDEX gated_on_list ON gated (wait_list, place) WHERE wait_list IS NOT NULL;
CREATE INDEX gated_reporting ON gated (source) WHERE source IS NOT NULL;
