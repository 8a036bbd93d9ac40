/* SPDX-License-Identifier: MIT
 *
 * The feeds of CommCare, by subject: dim.c and fact.c declare them, pipeline.c lists them. Private
 * to this folder.
 */
#ifndef PIPELINES_COMMCARE_COMMCARE_H
#define PIPELINES_COMMCARE_COMMCARE_H

#include "etl/pipeline.h"

extern const struct feed commcare_user, commcare_group, commcare_domain, commcare_location,
    commcare_application;
extern const struct feed commcare_form, commcare_synclog;

extern const struct pipeline commcare_pipeline;

#endif
