-- Administrative changes. A row outlives its tenant: that it was removed, and by whom, is to be seen.

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  tenant TEXT NOT NULL,      -- its id
  actor TEXT NOT NULL,       -- a token's id, or who else
  hint TEXT NOT NULL,        -- the token's last four characters
  action TEXT NOT NULL,
  subject TEXT NOT NULL
) STRICT;

CREATE INDEX audit_by_tenant ON audit (tenant, id);
CREATE INDEX audit_by_time ON audit (time);
