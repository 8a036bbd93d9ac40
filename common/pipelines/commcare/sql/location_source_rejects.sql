-- Send the locations of the window that have no id and cannot be staged.
-- on source
-- setting batch_id bigint
-- setting source text
-- setting since timestamptz
-- setting until timestamptz
--
-- The rows are those of location_source, the condition is its opposite: each is in one of them.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.batch_id')::bigint AS batch_id,
               current_setting('factline.source') AS source,
               current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until
    )
    SELECT (SELECT run.batch_id FROM run), 'location'::text, (SELECT run.source FROM run),
           place.id, 'location_id'::text, 'missing_field'::text,
           convert_to(record.text, 'UTF8'),
           octet_length(convert_to(record.text, 'UTF8'))::bigint
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
     CROSS JOIN LATERAL (SELECT row_to_json(place)::text AS text) AS record
     WHERE (place.last_modified > (SELECT run.since FROM run)
            AND place.last_modified <= (SELECT run.until FROM run)
            OR type.last_modified > (SELECT run.since FROM run)
            AND type.last_modified <= (SELECT run.until FROM run))
       AND (place.location_id <> '') IS NOT TRUE
) TO STDOUT (FORMAT binary);
