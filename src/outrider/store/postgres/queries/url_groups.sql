-- name: get_url_group
-- A URL group, as JSON.
SELECT url_group FROM url_groups WHERE tenant = :tenant AND name = :name

-- name: list_url_groups
-- A tenant's URL groups, by name, as one JSON array.
SELECT coalesce(json_agg(url_group), '[]')::text FROM (
  SELECT url_group FROM url_groups WHERE tenant = :tenant ORDER BY name
) AS found

-- name: count_url_groups
-- How many a tenant has.
SELECT count(*) FROM url_groups WHERE tenant = :tenant

-- name: put_url_group
-- A URL group, new or in place of the one with its name.
INSERT INTO url_groups (tenant, name, url_group) VALUES (:tenant, :name, :url_group)
ON CONFLICT (tenant, name) DO UPDATE SET url_group = excluded.url_group

-- name: delete_url_group
-- A URL group that is no more.
DELETE FROM url_groups WHERE tenant = :tenant AND name = :name
