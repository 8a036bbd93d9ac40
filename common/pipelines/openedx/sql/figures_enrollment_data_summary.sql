-- Count how the enrollment data of Figures differs from ours, and what of Figures explains it.
WITH enrollment AS MATERIALIZED (
    SELECT beside.difference, beside.what, beside.reasons
      FROM warehouse.figures_enrollment_data_beside_ours() AS beside
), counted AS (
    SELECT enrollment.difference, NULL::text AS what, NULL::text AS reason,
           array_position(enrollment.reasons, NULL) IS NULL AND enrollment.difference <> 'pending'
           AND enrollment.difference <> 'same' AS is_explained,
           count(*) AS rows
      FROM enrollment
     GROUP BY 1, 4
     UNION ALL
    SELECT enrollment.difference, why.what, why.reason, why.reason IS NOT NULL, count(*)
      FROM enrollment
     CROSS JOIN LATERAL unnest(enrollment.what, enrollment.reasons) AS why (what, reason)
     WHERE enrollment.difference <> 'pending'
     GROUP BY 1, 2, 3
     UNION ALL
    SELECT 'pending', 'row', 'a batch of it is still to be derived', true, count(*)
      FROM enrollment
     WHERE enrollment.difference = 'pending'
    HAVING count(*) > 0
     UNION ALL
    SELECT 'repeated', 'row', 'the same enrollment of another site; the newest day counts', true,
           count(*) - count(DISTINCT (line.user_id, line.course_id))
      FROM staging.figures_enrollment_data AS line
    HAVING count(*) > count(DISTINCT (line.user_id, line.course_id))
)
SELECT counted.difference, counted.what, counted.reason, counted.is_explained, counted.rows
  FROM counted
 ORDER BY counted.what IS NOT NULL, counted.is_explained, counted.rows DESC, counted.difference,
       counted.what, counted.reason;
