/* SPDX-License-Identifier: MIT
 *
 * What a batch reads: servers (shards) or files, and its window. For servers the window's end is
 * safe: no transaction that is still open on any shard can commit a row stamped before it
 * (DESIGN.md, part 5, rule 4). First the bound, on every shard, then the snapshots.
 *
 * The next window of a server begins at its mark, less the overlap. What its newest complete
 * incremental window left bears a time after that window's end, or was stamped since it was opened.
 * The latter bears at least what the source's clock, as it goes now, would have shown then: a time
 * before the end where the clock was set back. The mark is the earlier of the two. How long ago
 * the window was opened, the warehouse's clock says. A turn back and one forward between two
 * windows show as one, their sum.
 */
#ifndef ETL_SOURCE_H
#define ETL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/task.h"
#include "etl/batch.h"
#include "io/db.h"

struct source {
    const char *spec; /* borrowed; NULL: the SOURCE_PG* variables */
    char *identity;   /* service, host:port/database, or the path */
    bool is_server;
    struct db *db;            /* of a server, once opened */
    int64_t since, until;     /* its own window */
    int64_t clock;            /* its time at the snapshot: the version of what is read */
    int64_t rows;             /* staged */
    const char *table_format; /* of a table with rejects: "csv" or "tsv"; else NULL */
    char *table_header;       /* and its header */
};

struct source_list {
    struct source *items;
    size_t count;
    bool are_servers; /* all of them, or none */
    bool has_marks;   /* servers, or what another program extracts: a window follows on the last */
};

/* How a window is chosen. Durations in microseconds. */
struct window_options {
    int64_t since, until; /* explicit, where has_window */
    bool has_window;
    int64_t overlap, max_window; /* max_window 0: no bound */
    int64_t start;               /* no history before; the beginning: all of it */
    int64_t settle;              /* -1: ask for the safe end */
};

/* What came of it. */
struct window {
    int64_t since, until;
    int64_t behind;     /* how far until is behind the source's clock */
    bool has_progress;  /* false: there is nothing to read yet */
    int64_t holder_pid; /* of what holds the end back; 0: none, or a prepared transaction */
    int64_t holder_age; /* seconds; 0: nothing holds it back */
};

/* Names the sources: the specs, or what the environment names where there are none. STATUS_USAGE:
 * malformed, twice the same, or files beside servers. */
bool source_list_init(struct source_list *list, const struct task_list *specs, struct error *err);
void source_list_release(struct source_list *list); /* closes what is open */

/* How messages and logs name it: as it is known, a file without its folders. */
const char *source_name(const struct source *source);

/* Connects to all servers of the list. */
bool source_list_open(struct source_list *list, struct error *err);

/* Chooses the window of a new batch and of each source. 75 where the end is held back for more than
 * six hours; 77 where the role may not see when the other sessions began. */
bool source_list_choose(struct source_list *list, struct db *db, const char *workflow,
                        const struct window_options *options, struct window *window,
                        struct error *err);

/* Notes the sources with their windows in the ledger, in the caller's transaction. */
bool source_list_record(const struct source_list *list, struct db *db, const struct batch *batch,
                        struct error *err);

/* Takes the windows that the ledger has for the sources of a batch. STATUS_USAGE where one is
 * missing there. */
bool source_list_restore(struct source_list *list, struct db *db, const struct batch *batch,
                         struct error *err);

/* Opens a snapshot on every server and records its time; called under the workflow's lock. */
bool source_list_snapshot(struct source_list *list, struct db *db, const struct batch *batch,
                          struct error *err);

#endif
