/* SPDX-License-Identifier: MIT
 *
 * --reconcile: the input is the complete list of the keys that the source has; what is stored and
 * not listed was deleted there. Part of etl/stage.
 *
 * The keys go to staging.<feed>, and in the same transaction the feed's statement puts tombstones
 * in their place. From then on the batch is one like any other: rows_read and rows_staged count the
 * tombstones, rows_skipped the keys that were listed (--expect-rows is about these), and the
 * transform applies tombstones as it does any deletion.
 *
 * Why the order of things does not matter:
 *
 * - The list speaks up to a time: when the batch was opened, or the file last written if that was
 *   earlier, less the overlap. It is stored as the batch's until, so a retry, with a newer list,
 *   too, keeps it. A row with a later version time is left alone, since it may have been written
 *   or committed after the list was taken, and that time is the tombstone's version: what is
 *   written to the source later wins, whichever is transformed first.
 * - What an earlier read staged and nobody transformed yet could not be compared, and would come to
 *   life later: such a read is waited for (75). What a later read stages is judged by its version.
 * - Killed, the transaction leaves neither keys nor tombstones; a twin waits for the batch and
 *   answers from it; lost staging is staged again, with a new read number, by what is stored then.
 *   A second list finds what the first deleted deleted.
 */
#ifndef ETL_STAGE_RECONCILE_H
#define ETL_STAGE_RECONCILE_H

#include "etl/stage_read.h"

/* STATUS_USAGE: the feed declares no reconciliation, or other options contradict it. */
bool stage_check_keys(const struct stage *stage, struct error *err);

/* Before anything is read, in the data transaction: 75 where an earlier read is in the way. */
bool stage_begin_keys(struct stage *stage, struct error *err);

/* After the keys were read: 65 where one was rejected or none was there, unless 0 were expected;
 * puts the tombstones into staging and into the counts. A server that is read whole and showed
 * nothing gave an empty list; one that showed something does nothing here. */
bool stage_reconcile(struct stage *stage, struct error *err);

/* --dry-run: shows the feed's statement and its plan. */
bool stage_show_reconcile(struct stage *stage, struct error *err);

#endif
