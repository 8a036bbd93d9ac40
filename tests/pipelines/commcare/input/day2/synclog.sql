-- No one syncs, and an old log expires: what was seen stays.
DELETE FROM phone_synclogsql WHERE synclog_id = '00000000-0000-4000-8000-000000000001';
