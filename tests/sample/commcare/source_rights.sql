-- SPDX-License-Identifier: MIT
-- What a reader needs in a database of CommCare HQ: psql -v reader=ROLE -f source_rights.sql
-- Tables that a database does not have are passed over, since HQ spreads them over several.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'reader') \gexec
GRANT USAGE ON SCHEMA public TO :"reader";
SELECT format('GRANT SELECT ON public.%I TO %I', relname, :'reader')
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace
   AND relname IN ('form_processor_xforminstancesql', 'form_processor_xformoperationsql',
                   'phone_synclogsql', 'locations_sqllocation', 'locations_locationtype') \gexec
-- Shows when other sessions' transactions began, so that a row committed late is not missed.
-- Without it: load-staging --settle.
GRANT pg_read_all_stats TO :"reader";
