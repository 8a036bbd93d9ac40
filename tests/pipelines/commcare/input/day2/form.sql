-- The next day: f-02 is archived (an operation alone tells), f-05 comes back, f-08 was Asha's.
UPDATE form_processor_xforminstancesql SET state = 2 WHERE form_id = 'f-02';
UPDATE form_processor_xforminstancesql SET state = 1 WHERE form_id = 'f-05';
INSERT INTO form_processor_xformoperationsql (form_id, user_id, operation, date)
VALUES ('f-02', '0c8d77e1', 'archive', clock_timestamp()),
       ('f-05', '0c8d77e1', 'unarchive', clock_timestamp());
UPDATE form_processor_xforminstancesql
   SET user_id = '5f0c2a9b', server_modified_on = clock_timestamp()
 WHERE form_id = 'f-08';
