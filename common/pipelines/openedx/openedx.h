/* SPDX-License-Identifier: MIT
 *
 * The feeds of Open edX, by subject: dim.c and fact.c declare them, pipeline.c lists them. Private
 * to this folder.
 */
#ifndef PIPELINES_OPENEDX_OPENEDX_H
#define PIPELINES_OPENEDX_OPENEDX_H

#include "etl/pipeline.h"

#define OPENEDX_CHANGES "warehouse.learning_change_log"
#define OPENEDX_CONTEXTS "warehouse.learning_context_dim"

extern const struct feed openedx_learner, openedx_course_block, openedx_course_access_role;
extern const struct feed openedx_student_module, openedx_student_module_history;
extern const struct feed openedx_enrollment, openedx_certificate;

extern const struct pipeline openedx_pipeline;

#endif
