-- The source's clock, taken before its writers are looked at. A standby's rows are stamped by the
-- clock of its primary, from which it hears how far the two differ.
-- on source
SELECT clock_timestamp() + COALESCE((SELECT receiver.last_msg_send_time
                                            - receiver.last_msg_receipt_time
                                       FROM pg_catalog.pg_stat_wal_receiver AS receiver),
                                    interval '0') AS clock,
       pg_is_in_recovery() AS is_standby,
       CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END AS replayed,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS may_see_writers;
