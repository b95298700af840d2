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
-- The sums of each step: its beginning, a name, how often.
SELECT coalesce(json_agg(json_build_array(step, name, n)), '[]')::text FROM (
  SELECT a.time - a.time % :step::bigint AS step, c.key AS name, sum(c.value::bigint)::bigint AS n
  FROM activity AS a CROSS JOIN json_each_text(a.counts) AS c
  WHERE a.tenant = :tenant AND a.resolution = :resolution AND a.time >= :begin AND a.time < :end
  GROUP BY 1, 2
) AS sums

-- name: purge_activity
-- Steps that outlived their resolution.
DELETE FROM activity WHERE (tenant, resolution, time) IN (
  SELECT tenant, resolution, time FROM activity WHERE resolution = :resolution AND time < :before LIMIT :limit
)
