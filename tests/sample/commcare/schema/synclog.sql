-- SPDX-License-Identifier: MIT
-- The sync log database of CommCare HQ; its children by week of the date come with the rows.
CREATE TABLE public.phone_synclogsql (
    synclog_id uuid PRIMARY KEY,
    domain varchar(255),
    user_id varchar(255) NOT NULL,
    date timestamptz,
    doc jsonb NOT NULL,
    log_format varchar(10) NOT NULL,
    build_id varchar(255),
    duration integer CHECK (duration >= 0),
    app_id varchar(255),
    device_id varchar(255),
    is_formplayer boolean,
    request_user_id varchar(255)
);
CREATE INDEX synclog_domain ON public.phone_synclogsql (domain);
CREATE INDEX synclog_user_id ON public.phone_synclogsql (user_id);
CREATE INDEX synclog_date ON public.phone_synclogsql (date);
