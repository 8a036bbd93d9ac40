-- SPDX-License-Identifier: MIT
-- The roles of `make run` and its empty warehouse, where they are missing; run by a superuser.
\set ON_ERROR_STOP on
SELECT format('CREATE ROLE %I LOGIN', role)
  FROM unnest(ARRAY['warehouse_owner', 'loader', 'report_reader', 'hq_reader']) AS role
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
SELECT 'CREATE DATABASE warehouse OWNER warehouse_owner TEMPLATE template0 ENCODING ''UTF8'''
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'warehouse') \gexec
