-- name: insert_tenant
-- A new tenant.
INSERT INTO tenants (id, name, created_at) VALUES (:id, :name, :created_at)

-- name: find_tenant_by_name
-- Whether a name is taken.
SELECT 1 FROM tenants WHERE name = :name

-- name: find_tenant
-- Whether a tenant exists.
SELECT 1 FROM tenants WHERE id = :id

-- name: list_tenants
-- All tenants, oldest first.
SELECT id, name, created_at FROM tenants ORDER BY created_at, id

-- name: delete_tenant
-- A tenant; everything it owns goes with it by ON DELETE CASCADE.
DELETE FROM tenants WHERE id = :id

-- name: insert_token
-- A new token, as its hash.
INSERT INTO tokens (id, tenant, scope, hash, hint, name, created_at, last_used_at)
VALUES (:id, :tenant, :scope, :hash, :hint, :name, :created_at, :last_used_at)

-- name: list_tokens
-- A tenant's tokens, oldest first.
SELECT id, tenant, scope, hash, hint, name, created_at, last_used_at
FROM tokens WHERE tenant = :tenant ORDER BY created_at, id

-- name: find_token
-- The token with this hash.
SELECT id, tenant, scope, hash, hint, name, created_at, last_used_at FROM tokens WHERE hash = :hash

-- name: get_token
-- The token with this id.
SELECT id, tenant, scope, hash, hint, name, created_at, last_used_at FROM tokens WHERE id = :id

-- name: note_use
-- A token was used.
UPDATE tokens SET last_used_at = :time WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :time)

-- name: delete_token
-- A token that counts no more.
DELETE FROM tokens WHERE tenant = :tenant AND id = :id

-- name: insert_link
-- A link that signs in once.
INSERT INTO sign_in_links (hash, token, expires_at) VALUES (:hash, :token, :expires_at)

-- name: find_link
-- The token of a link that is still valid.
SELECT token FROM sign_in_links WHERE hash = :hash AND (expires_at IS NULL OR expires_at > :now)

-- name: delete_link
-- A link that was used.
DELETE FROM sign_in_links WHERE hash = :hash

-- name: delete_expired_links
-- Links that nobody used in time.
DELETE FROM sign_in_links WHERE expires_at <= :now

-- name: delete_endless_link
-- A token's link without an end.
DELETE FROM sign_in_links WHERE token = :token AND expires_at IS NULL

-- name: get_keys
-- A tenant's signing keys, sealed.
SELECT sealed_current, sealed_next, standard_webhooks FROM signing_keys WHERE tenant = :tenant

-- name: insert_keys
-- A new tenant's signing keys.
INSERT INTO signing_keys (tenant, sealed_current, sealed_next, standard_webhooks)
VALUES (:tenant, :current, :next, :standard_webhooks)

-- name: replace_keys
-- Other signing keys for a tenant, if it still has those that are known.
UPDATE signing_keys SET sealed_current = :current, sealed_next = :next
WHERE tenant = :tenant AND sealed_current = :known_current AND sealed_next = :known_next

-- name: set_standard_webhooks
-- Whether a tenant's deliveries are signed by Standard Webhooks too.
UPDATE signing_keys SET standard_webhooks = :on WHERE tenant = :tenant
