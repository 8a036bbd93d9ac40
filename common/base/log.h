/* SPDX-License-Identifier: MIT
 *
 * One line per event on standard error, whole and in one write:
 *
 *   2026-01-02T03:04:05.678901Z info transform-fact form 42 statement sql=form_fact rows=10 ms=3
 *
 * time, level, task, workflow, batch ("-" where not known yet), event, then
 * key=value. At no level a value of a record, a bound parameter or a message of
 * the server. Where standard error is systemd's journal (JOURNAL_STREAM
 * names it) lines carry a <N> priority.
 * A failed write is ignored: a log never stops the work.
 *
 * Where standard error is a terminal, a status can be shown below the log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

struct error;

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Names the task, which must outlive the log, and the most detailed level that
 * is shown. Without it nothing below LOG_ERROR is shown. */
void log_open(const char *task, enum log_level level);

/* Names what the following lines are about; NULL or "" is shown as "-".
 * The texts are copied (and cut at 63 bytes). */
void log_set_context(const char *workflow, const char *batch);

bool log_is_on(enum log_level level);

/* One event; format gives its key=value part, "" for none. Control characters become "?". */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* True where log_status has an effect: standard error is a terminal that can
 * return to the beginning of a line (TERM is not "dumb"), and LOG_INFO is shown. */
bool log_has_status(void);

/* Shows task, workflow, batch and this text, cut at the terminal's width, in the
 * place of the status before. The next line of the log takes it away. */
void log_status(const char *text);

/* What is written between these two is folded by Airflow's view of a log; where no task of
 * Airflow runs, nothing is written. Never around a failure, which must be seen. */
void log_begin_group(const char *name);
void log_end_group(void);

/* The last line of a failed task: "TASK: error: REASON; REMEDY", at every level. */
void log_failure(const struct error *err);

#endif
