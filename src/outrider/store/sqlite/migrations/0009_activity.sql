-- What happened, counted by tenant in steps of time. Figures are read here and not from the log.

CREATE TABLE activity (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  resolution INTEGER NOT NULL,  -- the length of a step, ms
  time INTEGER NOT NULL,        -- when the step begins
  counts TEXT NOT NULL,         -- a JSON object: how often, by name
  PRIMARY KEY (tenant, resolution, time)
) STRICT, WITHOUT ROWID;

CREATE INDEX activity_by_time ON activity (resolution, time);
