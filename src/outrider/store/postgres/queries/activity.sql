-- name: add_activity
-- So much more happened; what is counted of the step already is added to. Whose tenant is gone is dropped.
INSERT INTO activity (tenant, resolution, time, counts)
SELECT tenant, resolution, time, counts::json
FROM unnest(:rows.1::text[], :rows.2::bigint[], :rows.3::bigint[], :rows.4::text[])
  AS counted (tenant, resolution, time, counts)
WHERE tenant IN (SELECT id FROM tenants)
ORDER BY tenant COLLATE "C", resolution, time
ON CONFLICT (tenant, resolution, time) DO UPDATE SET counts = (
  SELECT json_object_agg(name, n) FROM (
    SELECT name, sum(value::bigint)::bigint AS n FROM (
      SELECT * FROM json_each_text(activity.counts) UNION ALL SELECT * FROM json_each_text(excluded.counts)
    ) AS both_of (name, value) GROUP BY name
  ) AS sums
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
