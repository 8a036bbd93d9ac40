/* SPDX-License-Identifier: MIT
 *
 * --jobs: all servers of a batch are read at once, and a window that has no start, which is all of
 * a table, by several sessions each. They share the snapshot that the first one exported, and each
 * reads pages of its own, so every row is read once and by one. A window with a start is found by
 * index, which more sessions would only search once each. Part of etl/stage.
 *
 * All rows go into one COPY in the batch's transaction: staging is filled whole or not at all, as
 * by one session. So the load is never faster than the warehouse takes rows; jobs help where a
 * source is slower than that: far away, on slow disks, one of many.
 *
 * A feed that is read as documents (no source_rejects) and files are read one after the other.
 */
#ifndef ETL_STAGE_JOBS_H
#define ETL_STAGE_JOBS_H

#include "etl/stage_read.h"

#define STAGE_JOBS_MAX 64

/* Reads all sources into staging; their rows and the bytes are counted. */
bool stage_read_at_once(struct stage *stage, struct error *err);

#endif
