-- Read all certificates, awarded or not.
-- on source
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT certificate.user_id, certificate.course_id, certificate.status,
                   certificate.created_date
              FROM public.certificates_generatedcertificate AS certificate) AS record
) TO STDOUT;
