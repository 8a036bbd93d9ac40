-- The source's rows on the first day: a state, a district, a village.
INSERT INTO locations_locationtype (id, domain, name, code, last_modified)
VALUES (12, 'river-health', 'District', 'district', '2023-01-01Z'),
       (13, 'river-health', 'Post', 'post', '2023-01-01Z');
INSERT INTO locations_sqllocation (id, domain, name, location_id, location_type_id, site_code, user_id, parent_id,
                                   is_archived, created_at, last_modified)
VALUES (100, 'river-health', 'North', 'n0rth', 12, 'north', '', NULL, false, '2023-01-01Z', '2024-02-01Z'),
       (101, 'river-health', 'South', 's0uth', 12, 'south', '', NULL, false, '2023-01-01Z', '2024-02-01Z'),
       (102, 'river-health', 'Post 1', 'b7f1c0', 13, 'post_1', '', 100, false, '2023-01-01Z', '2024-02-01Z');
