-- Standard Webhooks as a tenant's default, and destination profiles.

ALTER TABLE signing_keys ADD COLUMN standard_webhooks INTEGER NOT NULL DEFAULT 0;

-- `sealed` is the headers of a profile, encrypted for this tenant and host.
CREATE TABLE profiles (
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  host TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (tenant, host)
) STRICT;
