-- The warehouse's clock: the end of a file's window.
SELECT clock_timestamp() AS clock;
