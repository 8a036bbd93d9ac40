-- Keep records that could not be staged.
COPY etl.rejected_row (batch_id, feed, source, position, column_name, reason, bytes, full_length,
                       sha256, is_table)
FROM STDIN (FORMAT binary);
