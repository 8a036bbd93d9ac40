/* SPDX-License-Identifier: MIT
 *
 * What the readers of files and of rejects share. Part of etl/stage.
 */
#ifndef ETL_STAGE_FILE_H
#define ETL_STAGE_FILE_H

#include "base/progress.h"
#include "base/str.h"
#include "etl/stage_read.h"

/* A load of files on its way. */
struct stage_reading {
    struct stage *stage;
    struct feed keys; /* the feed, where a line is one of its keys and not a whole record */
    struct field_reader *reader;
    struct field_batch fixed;
    struct copy *copy;
    int64_t lines; /* over all files: the later line wins */
    struct progress progress;
    bool has_told_wrapped;
    int64_t last_reject; /* of a replay: the greatest id that was read */
    struct str closed;   /* and the ids that did not fail again, separated by commas */
    struct csv *table;   /* whose reject was read last; NULL where it cannot be read any more */
    struct str header;   /* and its header */
};

/* Before each record: a sign of life for the log, a look whether we are to stop. */
bool stage_begin_record(struct stage_reading *reading, struct error *err);

/* Takes one document and counts it, rejected or not. */
bool stage_take_document(struct stage_reading *reading, const struct source *source,
                         const struct file_line *line, struct error *err);

/* Reads a server that sends documents, out of its snapshot. */
bool stage_read_documents(struct stage_reading *reading, struct source *source, struct error *err);

/* Reads all open rejects of the feed once more, by a session of its own, each with the version that
 * it would have had. */
bool stage_replay(struct stage_reading *reading, struct error *err);

/* After the replay's COPY: closes the rejects that were staged. */
bool stage_close_replayed(struct stage_reading *reading, struct error *err);

#endif
