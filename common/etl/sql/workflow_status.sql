-- How every workflow of the pipelines in use stands. A derived one is as fresh as the facts that it
-- has derived from. The newest batch says how fresh, not the greatest end: a clock may be set back.
-- param $1 workflow text
WITH own AS (
    SELECT batch.workflow,
           (array_agg(batch.until ORDER BY batch.id DESC)
                FILTER (WHERE batch.state = 'complete'
                          AND batch.kind = 'incremental'))[1] AS last_until,
           bool_or(batch.state = 'complete') AS has_completed,
           count(*) FILTER (WHERE batch.state IN ('open', 'staged')) AS open,
           count(*) FILTER (WHERE batch.state = 'failed') AS failed
      FROM etl.batch AS batch
     GROUP BY batch.workflow
), consumable AS (
    SELECT consumer.consumer, batch.id, batch.kind, batch.until,
           consumption.source_batch_id IS NULL AND batch.rows_staged > 0 AS is_pending
      FROM etl.consumer AS consumer
      JOIN etl.batch AS batch
        ON batch.workflow = consumer.source_workflow
       AND batch.state = 'complete'
      LEFT JOIN etl.batch_consumption AS consumption
        ON consumption.consumer = consumer.consumer
       AND consumption.source_batch_id = batch.id
), derived AS (
    SELECT consumable.consumer,
           count(*) FILTER (WHERE consumable.is_pending) AS unconsumed,
           (array_agg(consumable.until ORDER BY consumable.kind = 'incremental' DESC,
                                                consumable.id DESC)
                FILTER (WHERE NOT consumable.is_pending))[1] AS consumed_until
      FROM consumable
     GROUP BY consumable.consumer
), hole AS (
    SELECT windows.workflow, sum(windows.pieces - 1)::bigint AS gaps
      FROM (SELECT batch.workflow, source.source,
                   (SELECT count(*)
                      FROM unnest(range_agg(tstzrange(source.since, source.until, '(]')))) AS pieces
              FROM etl.batch_source AS source
              JOIN etl.batch AS batch
                ON batch.id = source.batch_id
             WHERE batch.state = 'complete'
               AND batch.kind = 'incremental'
               AND source.has_watermark
               AND source.since < source.until
             GROUP BY batch.workflow, source.source) AS windows
     GROUP BY windows.workflow
), refused AS (
    SELECT rejected.feed, count(*) AS rejects
      FROM etl.rejected_row AS rejected
      LEFT JOIN etl.batch AS replay
        ON replay.id = rejected.replayed_batch_id
     WHERE replay.id IS NULL OR replay.state = 'superseded'
     GROUP BY rejected.feed
), stuck AS (
    SELECT unit.workflow, count(*) AS units
      FROM etl.pending_unit AS unit
     GROUP BY unit.workflow
), standing AS (
    SELECT workflow.name, workflow.pipeline, workflow.kind,
           CASE workflow.kind WHEN 'derived'
                THEN CASE WHEN own.has_completed THEN derived.consumed_until END
                ELSE own.last_until END AS last_until,
           COALESCE(own.open, 0) AS open,
           COALESCE(own.failed, 0) AS failed,
           COALESCE(hole.gaps, 0) AS gaps,
           COALESCE(refused.rejects, 0) AS rejects,
           COALESCE(derived.unconsumed, 0) AS unconsumed,
           COALESCE(stuck.units, 0) AS pending_units,
           own.workflow IS NOT NULL AS is_used,
           bool_or(own.workflow IS NOT NULL) OVER (PARTITION BY workflow.pipeline) AS is_shown
      FROM etl.workflow AS workflow
      LEFT JOIN own ON own.workflow = workflow.name
      LEFT JOIN derived ON derived.consumer = workflow.name
      LEFT JOIN hole ON hole.workflow = workflow.name
      LEFT JOIN refused ON refused.feed = workflow.name
      LEFT JOIN stuck ON stuck.workflow = workflow.name
)
SELECT standing.name, standing.last_until,
       floor(extract(epoch FROM clock_timestamp() - standing.last_until) * 1000000)::bigint AS lag,
       standing.open, standing.failed, standing.gaps, standing.rejects, standing.unconsumed,
       standing.pending_units, standing.is_used
  FROM standing
 WHERE standing.name = $1
    OR $1 IS NULL AND standing.is_shown
 ORDER BY standing.pipeline, standing.kind DESC, standing.name;
