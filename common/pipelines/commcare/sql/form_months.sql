-- Make the months that the forms of a batch fall into and that are not there yet.
-- param $1 batch_id bigint
SELECT count(*) FILTER (WHERE etl.make_month('warehouse.form_fact', months.month)) AS months_made
  FROM (SELECT DISTINCT date_trunc('month', staged.received_on AT TIME ZONE 'UTC')::date AS month
          FROM staging.form AS staged
         WHERE staged.batch_id = $1
         ORDER BY month) AS months;
