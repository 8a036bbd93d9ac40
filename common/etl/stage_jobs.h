/* SPDX-License-Identifier: MIT
 *
 * The rows of servers. Without --jobs one server is read after the other, each by its session; with
 * it all servers of a batch at once, and a window that has no start, which is all of a table, by
 * several sessions each. They share the snapshot that the first one exported, and each reads pages
 * of its own, so every row is read once and by one. A window with a start is found by index, which
 * more sessions would only search once each. Part of etl/stage.
 *
 * What is read at once goes into one COPY, and all of it into the batch's transaction: staging is
 * filled whole or not at all. So the load is never faster than the warehouse takes rows; jobs help
 * where a source is slower than that: far away, on slow disks, one of many.
 *
 * A feed that is read as documents (no source_rejects) and files are read one after the other.
 */
#ifndef ETL_STAGE_JOBS_H
#define ETL_STAGE_JOBS_H

#include "etl/stage_read.h"

#define STAGE_JOBS_MAX 64

/* Reads so many sources into staging by one COPY; their rows and the bytes are counted. */
bool stage_read_at_once(struct stage *stage, struct source *sources, size_t count,
                        struct error *err);

#endif
