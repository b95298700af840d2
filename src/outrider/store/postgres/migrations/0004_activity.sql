-- oldest reader: 2
-- What happened, counted by tenant in steps of time. Figures are read here and not from the log.

CREATE TABLE activity (
  tenant text COLLATE "C" NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  resolution bigint NOT NULL,  -- the length of a step, ms
  time bigint NOT NULL,        -- when the step begins
  counts json NOT NULL,        -- an object: how often, by name
  PRIMARY KEY (tenant, resolution, time)
);

CREATE INDEX activity_by_time ON activity (resolution, time);
