-- The source's rows on the first day: Asha syncs, a worker without document syncs, Maria syncs.
INSERT INTO phone_synclogsql (synclog_id, domain, user_id, date, build_id, duration, app_id)
VALUES ('00000000-0000-4000-8000-000000000001', 'river-health', '5f0c2a9b', '2024-02-12T08:00:00Z', NULL, 4, NULL),
       ('00000000-0000-4000-8000-000000000002', NULL, '5f0c2a9b', '2024-02-18T08:00:00Z', 'b18d0e', 5, 'a1c2e3'),
       ('00000000-0000-4000-8000-000000000003', 'river-health', '7c01', '2024-02-18T09:00:00Z', NULL, 6, NULL),
       ('00000000-0000-4000-8000-000000000004', 'hill-health', '0c8d77e1', '2024-02-18T10:00:00Z', NULL, 7, NULL);
