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
-- The sums of each step: its beginning, a name, how often.
SELECT json_group_array(json_array(step, name, n)) FROM (
  SELECT a.time - a.time % :step AS step, c.key AS name, sum(c.value) AS n
  FROM activity AS a CROSS JOIN json_each(a.counts) AS c
  WHERE a.tenant = :tenant AND a.resolution = :resolution AND a.time >= :begin AND a.time < :end
  GROUP BY 1, 2
)

-- name: purge_activity
-- Steps that outlived their resolution.
DELETE FROM activity WHERE (tenant, resolution, time) IN (
  SELECT tenant, resolution, time FROM activity WHERE resolution = :resolution AND time < :before LIMIT :limit
)
