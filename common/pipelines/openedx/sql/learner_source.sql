-- Read all learners, without name and mail address.
-- on source
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT learner.id, learner.username, learner.is_staff, learner.is_active,
                   learner.date_joined, learner.last_login
              FROM public.auth_user AS learner) AS record
) TO STDOUT;
