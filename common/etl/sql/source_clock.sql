-- The source's clock, taken before its writers are looked at.
-- on source
SELECT clock_timestamp() AS clock,
       pg_is_in_recovery() AS is_standby,
       CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END AS replayed,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_see_writers;
