-- name: add_activity
-- So much more happened; what is counted of the step already is added to. Whose tenant is gone is dropped.
WITH counted (tenant, resolution, time, counts) AS (VALUES (?, ?, ?, ?))
INSERT INTO activity (tenant, resolution, time, counts)
SELECT tenant, resolution, time, counts FROM counted WHERE tenant IN (SELECT id FROM tenants)
ON CONFLICT (tenant, resolution, time) DO UPDATE SET counts = (
  SELECT json_group_object(name, n) FROM (
    SELECT key AS name, sum(value) AS n FROM (
      SELECT key, value FROM json_each(activity.counts) UNION ALL SELECT key, value FROM json_each(excluded.counts)
    ) GROUP BY key
  )
)

-- name: read_activity
-- What is counted in steps that begin then.
SELECT time, counts FROM activity
WHERE tenant = :tenant AND resolution = :resolution AND time >= :begin AND time < :end

-- name: purge_activity
-- Steps that outlived their resolution.
DELETE FROM activity WHERE (tenant, resolution, time) IN (
  SELECT tenant, resolution, time FROM activity WHERE resolution = :resolution AND time < :before LIMIT :limit
)
