-- Write out which enrollments differ from those of Figures, and why: what nothing explains first.
COPY (SELECT beside.user_id, beside.course_id, beside.date_for, beside.difference, why.what,
             why.reason
        FROM warehouse.figures_enrollment_data_beside_ours() AS beside
       CROSS JOIN LATERAL unnest(beside.what, beside.reasons) AS why (what, reason)
       WHERE beside.difference IN ('missing', 'extra', 'different')
       ORDER BY why.reason IS NOT NULL, beside.course_id, beside.user_id, why.what)
TO STDOUT (FORMAT csv, HEADER);
