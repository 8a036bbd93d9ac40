-- Read the locations that changed in the window, or whose type did.
-- on source
-- setting since timestamptz
-- setting until timestamptz
--
-- A column that a release lacks is found in lacking instead, since no table inside offers its name.
-- Settings are read once, in run: a filter would read them for each row. What this leaves out,
-- location_source_rejects sends.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until
    )
    SELECT place.location_id, place.domain, place.name, place.site_code, place.location_type_id,
           place.external_id, place.supply_point_id, place.user_id, place.id, place.parent_id,
           place.last_modified, place.created_at, place.is_archived, place.latitude,
           place.longitude, type.name, type.code, type.last_modified
      FROM (SELECT NULL::text AS user_id) AS lacking
     CROSS JOIN LATERAL (
           SELECT id::bigint AS id, location_id::text AS location_id, domain::text AS domain,
                  name::text AS name, site_code::text AS site_code,
                  location_type_id::bigint AS location_type_id,
                  external_id::text AS external_id, supply_point_id::text AS supply_point_id,
                  user_id::text AS user_id, parent_id::bigint AS parent_id, last_modified,
                  created_at, is_archived, latitude::text AS latitude,
                  longitude::text AS longitude
             FROM public.locations_sqllocation) AS place
     CROSS JOIN LATERAL (
           SELECT location_type.name::text AS name, location_type.code::text AS code,
                  location_type.last_modified
             FROM public.locations_locationtype AS location_type
            WHERE location_type.id = place.location_type_id) AS type
     WHERE (place.last_modified > (SELECT run.since FROM run)
            AND place.last_modified <= (SELECT run.until FROM run)
            OR type.last_modified > (SELECT run.since FROM run)
            AND type.last_modified <= (SELECT run.until FROM run))
       AND (place.location_id <> '') IS TRUE
) TO STDOUT (FORMAT binary);
