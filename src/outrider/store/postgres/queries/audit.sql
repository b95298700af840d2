-- name: insert_change
-- An administrative change.
INSERT INTO audit (time, tenant, actor, hint, action, subject)
VALUES (:time, :tenant, :actor, :hint, :action, :subject)

-- name: list_changes
-- Changes, latest first.
SELECT id, time, tenant, actor, hint, action, subject FROM audit WHERE id < :before ORDER BY id DESC LIMIT :limit

-- name: list_changes_of_tenant
-- A tenant's changes, latest first.
SELECT id, time, tenant, actor, hint, action, subject FROM audit
WHERE tenant = :tenant AND id < :before ORDER BY id DESC LIMIT :limit

-- name: last_change
-- When that was last done to a tenant.
SELECT time FROM audit WHERE tenant = :tenant AND action = :action ORDER BY id DESC LIMIT 1

-- name: purge_changes
-- Changes that outlived the audit retention.
DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE time < :before ORDER BY time LIMIT :limit)
