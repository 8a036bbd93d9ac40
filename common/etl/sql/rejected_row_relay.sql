-- Keep records of a server source that could not be staged.
COPY etl.rejected_row (batch_id, feed, source, position, column_name, reason, bytes, full_length)
FROM STDIN (FORMAT binary);
