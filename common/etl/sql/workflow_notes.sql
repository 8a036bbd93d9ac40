-- What an operator should look at: failures, attempts that never came back, sources left out.
-- param $1 workflow text
SELECT note.workflow, note.about
  FROM (SELECT batch.workflow,
               'batch ' || batch.id || ' failed in ' || batch.failed_step || ' with status '
               || batch.failed_status || ': ' || batch.failed_reason AS about,
               1 AS kind, batch.id
          FROM etl.batch AS batch
         WHERE batch.state = 'failed'
         UNION ALL
        SELECT batch.workflow,
               'batch ' || batch.id || ', attempt ' || step.attempt || ' of ' || step.step
               || ' never came back' AS about,
               2 AS kind, batch.id
          FROM etl.batch AS batch
          JOIN etl.batch_step AS step
            ON step.batch_id = batch.id
           AND step.ended_at IS NULL
         WHERE batch.state <> 'complete'
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_stat_activity AS activity
                            WHERE activity.pid = step.backend
                              AND activity.backend_start = step.backend_start)
         UNION ALL
        SELECT left_out.workflow, 'source ' || left_out.source || ' was left out of the last batch',
               3 AS kind, left_out.last_id
          FROM (SELECT batch.workflow, source.source, max(batch.id) AS last_id,
                       max(max(batch.id)) OVER (PARTITION BY batch.workflow) AS newest_id
                  FROM etl.batch_source AS source
                  JOIN etl.batch AS batch
                    ON batch.id = source.batch_id
                 WHERE source.has_watermark
                   AND batch.state = 'complete'
                 GROUP BY batch.workflow, source.source) AS left_out
         WHERE left_out.last_id < left_out.newest_id
         UNION ALL
        SELECT unit.workflow, 'unit ' || unit.unit || ' could not be computed: ' || unit.reason,
               4 AS kind, unit.batch_id
          FROM etl.pending_unit AS unit) AS note (workflow, about, kind, batch_id)
 WHERE $1::text IS NULL
    OR note.workflow = $1
 ORDER BY note.workflow, note.kind, note.batch_id
 LIMIT 50;
