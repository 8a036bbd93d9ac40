-- The oldest transaction that may still commit rows stamped in the past, prepared ones included.
-- Our own sessions only read.
-- on source
SELECT writer.pid, writer.started - interval '1 microsecond' AS until,
       floor(extract(epoch FROM clock_timestamp() - writer.started))::bigint AS age_seconds
  FROM (SELECT activity.pid, activity.xact_start AS started
          FROM pg_catalog.pg_stat_activity AS activity
         WHERE activity.datname = current_database()
           AND activity.pid <> pg_backend_pid()
           AND activity.xact_start IS NOT NULL
           AND activity.backend_type NOT IN ('autovacuum worker', 'parallel worker', 'walsender')
           AND NOT (activity.usename = current_user
                    AND activity.application_name LIKE 'load-staging%')
         UNION ALL
        SELECT NULL::integer, prepared.prepared
          FROM pg_catalog.pg_prepared_xacts AS prepared
         WHERE prepared.database = current_database()) AS writer
 ORDER BY writer.started
 LIMIT 1;
