-- SPDX-License-Identifier: MIT
-- The locations in the main database of CommCare HQ.
CREATE TABLE public.locations_locationtype (
    id serial PRIMARY KEY,
    domain varchar(255) NOT NULL,
    name varchar(255) NOT NULL,
    code varchar(50),
    parent_type_id integer REFERENCES public.locations_locationtype (id),
    last_modified timestamptz NOT NULL,
    UNIQUE (domain, code),
    UNIQUE (domain, name)
);
CREATE TABLE public.locations_sqllocation (
    id serial PRIMARY KEY,
    domain varchar(255) NOT NULL,
    name varchar(255),
    location_id varchar(100) NOT NULL UNIQUE,
    location_type_id integer NOT NULL REFERENCES public.locations_locationtype (id),
    site_code varchar(255) NOT NULL,
    external_id varchar(255),
    supply_point_id varchar(255) UNIQUE,
    user_id varchar(255) NOT NULL,
    parent_id integer REFERENCES public.locations_sqllocation (id),
    latitude numeric(20,10),
    longitude numeric(20,10),
    is_archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    last_modified timestamptz NOT NULL
);
