-- Make the months that the sync logs of a batch fall into and that are not there yet.
-- param $1 batch_id bigint
--
-- By way of the days, which are found without a look at the calendar.
SELECT count(*) FILTER (WHERE etl.make_month('warehouse.synclog_fact', months.month)) AS months_made
  FROM (SELECT DISTINCT date_trunc('month', days.day AT TIME ZONE 'UTC')::date AS month
          FROM (SELECT DISTINCT date_bin('1 day', staged.sync_date, '2000-01-01Z') AS day
                  FROM staging.synclog AS staged
                 WHERE staged.batch_id = $1) AS days
         ORDER BY month) AS months;
