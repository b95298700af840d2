-- name: get_profile
-- A host's profile.
SELECT host, sealed, updated_at FROM profiles WHERE tenant = :tenant AND host = :host

-- name: list_profiles
-- A tenant's profiles, by host.
SELECT host, sealed, updated_at FROM profiles WHERE tenant = :tenant ORDER BY host

-- name: count_profiles
-- How many a tenant has.
SELECT count(*) FROM profiles WHERE tenant = :tenant

-- name: put_profile
-- A host's profile, new or in place of the one before.
INSERT INTO profiles (tenant, host, updated_at, sealed) VALUES (:tenant, :host, :updated_at, :sealed)
ON CONFLICT (tenant, host) DO UPDATE SET updated_at = excluded.updated_at, sealed = excluded.sealed

-- name: delete_profile
-- A profile that is no more.
DELETE FROM profiles WHERE tenant = :tenant AND host = :host
