/* SPDX-License-Identifier: MIT
 *
 * Signs of life of long work: on a terminal one line that is rewritten in place
 * (log_status), elsewhere an event of the log twice a minute. Both tell rows,
 * rate, percentage or window, and the time that has passed.
 *
 *   struct progress progress = progress_begin("copy", "form");
 *   for each row: progress.rows++; progress_tell(&progress);
 *
 * Work that is over before its first sign is due says nothing.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

struct progress {
    const char *event;             /* of the log: what is done */
    const char *sql;               /* the statement that does it; NULL for none */
    int64_t rows, rejected, bytes; /* so far */
    int64_t size;                  /* bytes in all; 0 where nobody knows */
    int64_t started, told;         /* microseconds of clock_monotonic */
};

struct progress progress_begin(const char *event, const char *sql);

/* Names the window that rows are read of, as of clock_format; it is copied. */
void progress_set_window(const char *since, const char *until);

/* Tells where it stands if a sign is due. Cheap, but looks at the clock. */
void progress_tell(struct progress *progress);

/* Tells where it stands, due or not. */
void progress_show(const struct progress *progress);

/* Milliseconds between two signs: how long a wait may last until progress_show. */
int progress_interval_ms(void);

#endif
