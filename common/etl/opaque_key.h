/* SPDX-License-Identifier: MIT
 *
 * The keys of Open edX (opaque-keys 4.0.0): learning contexts and usages, from their text to one
 * canonical text each. Pure: no look-up, no state. Never folds case.
 *
 *   context   course-v1:  ORG/COURSE/RUN  slashes:  ccx-v1:  library-v1:  lib:
 *   usage     block-v1:  i4x://  ccx-block-v1:  lib-block-v1:  lb:  aside-usage-v1:  -v2:
 *
 * Canonical: without blanks and newlines at the end, without branch, version and revision;
 * slashes: is spelled course-v1:. Where upstream silently drops parts, or where no organisation
 * is left, the key is refused.
 */
#ifndef ETL_OPAQUE_KEY_H
#define ETL_OPAQUE_KEY_H

#include "etl/grammar.h"

/* What was left out on the way to the canonical text; the notes of both grammars. */
#define OPAQUE_TRIMMED 1u
#define OPAQUE_VERSION_DROPPED 2u

/* Reasons: missing_field (nothing but blanks), key_too_long (over 255 characters),
 * invalid_context_key. */
extern const struct grammar opaque_context_key;

/* Also invalid_usage_key, usage_key_missing_type, and context_mismatch where the usage is not in
 * the context it is read within; an i4x key says organisation and course alone, an aside is where
 * what it wraps is. */
extern const struct grammar opaque_usage_key;

#endif
