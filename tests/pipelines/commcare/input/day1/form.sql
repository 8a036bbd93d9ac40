-- The source's rows on the first day: what counts, and what must not.
INSERT INTO form_processor_xforminstancesql
       (form_id, domain, app_id, xmlns, user_id, orig_id, server_modified_on, received_on, edited_on, deleted_on,
        build_id, state, time_end, time_start, commcare_version, app_version)
VALUES ('f-01', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-02-10T10:00:00Z', '2024-02-10T10:00:00Z', NULL, NULL, 'b18d0e', 1,
        '2024-02-10T09:59:00Z', '2024-02-10T09:50:00Z', '2.47.1', 18),
       -- received a day later, edited: the live form, and its copy of state 4
       ('f-02', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-02-12T10:00:00Z', '2024-02-11T10:00:00Z', '2024-02-12T10:00:00Z', NULL, 'b18d0e', 1, NULL, NULL,
        '2.47.1', 18),
       ('f-03', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', 'f-02',
        '2024-02-12T10:00:00Z', '2024-02-11T10:00:00Z', '2024-02-12T10:00:00Z', NULL, 'b18d0e', 4, NULL, NULL,
        '2.47.1', 18),
       -- a duplicate post, an archived and a deleted form: newer, and not counted
       ('f-04', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-02-13T10:00:00Z', '2024-02-13T10:00:00Z', NULL, NULL, 'b18d0e', 8, NULL, NULL, '2.47.1', 18),
       ('f-05', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-02-14T10:00:00Z', '2024-02-14T10:00:00Z', NULL, NULL, 'b18d0e', 2, NULL, NULL, '2.47.1', 18),
       ('f-06', 'river-health', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-02-15T11:00:00Z', '2024-02-15T10:00:00Z', NULL, '2024-02-15T11:00:00Z', 'b18d0e', 1, NULL, NULL,
        '2.47.1', 18),
       -- without app; of an app and a build without a document; of nobody
       ('f-07', 'river-health', NULL, 'http://openrosa.org/formdesigner/1A2B', '5f0c2a9b', NULL,
        '2024-01-31T23:59:59.999999Z', '2024-01-31T23:59:59.999999Z', NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL),
       ('f-08', 'river-health', 'late-app', 'http://openrosa.org/formdesigner/1A2B', '6a1d', NULL,
        '2024-02-16T10:00:00Z', '2024-02-16T10:00:00Z', NULL, NULL, 'late-build', 1, NULL, NULL, '2.48.0', 3),
       ('f-09', 'gone-project', 'a1c2e3', 'http://openrosa.org/formdesigner/1A2B', '', NULL,
        '2024-02-17T10:00:00Z', '2024-02-17T10:00:00Z', NULL, NULL, 'b18d0e', 1, NULL, NULL, '2.47.1', 18);
INSERT INTO form_processor_xformoperationsql (form_id, user_id, operation, date)
VALUES ('f-05', '0c8d77e1', 'archive', '2024-02-20T10:00:00Z');
