-- SPDX-License-Identifier: MIT
-- A form database of CommCare HQ, reduced to what is worth reading; with HQ's indexes.
CREATE TABLE public.form_processor_xforminstancesql (
    id serial PRIMARY KEY,
    form_id varchar(255) NOT NULL UNIQUE,
    domain varchar(255) NOT NULL,
    app_id varchar(255),
    xmlns varchar(255) NOT NULL,
    user_id varchar(255),
    orig_id varchar(255),
    deprecated_form_id varchar(255),
    server_modified_on timestamptz,
    received_on timestamptz NOT NULL,
    edited_on timestamptz,
    deleted_on timestamptz,
    build_id varchar(255),
    state smallint NOT NULL CHECK (state >= 0),
    time_end timestamptz,
    time_start timestamptz,
    commcare_version varchar(8),
    app_version integer CHECK (app_version >= 0)
);
CREATE INDEX form_received_on ON public.form_processor_xforminstancesql (received_on);
CREATE INDEX form_server_modified_on ON public.form_processor_xforminstancesql (server_modified_on);
CREATE INDEX form_xmlns ON public.form_processor_xforminstancesql (xmlns);
CREATE INDEX form_domain_state ON public.form_processor_xforminstancesql (domain, state);
CREATE INDEX form_domain_user_id ON public.form_processor_xforminstancesql (domain, user_id);

CREATE TABLE public.form_processor_xformoperationsql (
    id serial PRIMARY KEY,
    form_id varchar(255) NOT NULL REFERENCES public.form_processor_xforminstancesql (form_id),
    user_id varchar(255),
    operation varchar(255) NOT NULL,
    date timestamptz NOT NULL
);
CREATE INDEX operation_form_id ON public.form_processor_xformoperationsql (form_id);
