/* SPDX-License-Identifier: MIT */
#include "etl/reject.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "etl_sql.h"
#include "io/copy.h"
#include "io/json.h"

#define KEPT_WHOLE (1024 * 1024)
#define DEFAULT_NUMBER 10
#define DEFAULT_PERCENT 1.0

const char *const reject_secrets[] = {"password", "phone_numbers", "phone_number",
                                      "default_phone_number", NULL};

bool reject_parse_budget(const char *text, struct reject_budget *budget, struct error *err)
{
    *budget = (struct reject_budget){0};
    if (!text) {
        *budget = (struct reject_budget){
            .is_default = true, .percent = DEFAULT_PERCENT, .number = DEFAULT_NUMBER};
        return true;
    }
    char *end;
    size_t length = strlen(text);
    errno = 0;
    if (length > 1 && text[length - 1] == '%' && strspn(text, "0123456789.") == length - 1) {
        budget->is_percent = true;
        budget->percent = strtod(text, &end);
        if (*end == '%' && budget->percent <= 100)
            return true;
    } else if (length > 0 && length <= 18 && strspn(text, "0123456789") == length) {
        budget->number = strtoll(text, &end, 10);
        return true;
    }
    return error_set(
        err, STATUS_USAGE,
        "--max-rejects wants a number, or a percentage up to 100%%; for example 50 or 2%%");
}

bool reject_is_within(const struct reject_budget *budget, int64_t rejected, int64_t read,
                      bool is_end, struct error *err)
{
    bool by_share = budget->is_percent || budget->is_default;
    if (rejected == 0 || (by_share && !is_end))
        return true;
    bool is_within = by_share && (double)rejected * 100 <= budget->percent * (double)read;
    if (is_within || (!budget->is_percent && rejected <= budget->number))
        return true;
    return error_set(err, STATUS_DATA,
                     "%" PRId64 " of %" PRId64 " records were rejected, more than --max-rejects "
                     "allows; look at etl.rejected_row, then mend the source or raise the limit",
                     rejected, read);
}

/* Spool ---------------------------------------------------------------- */

/* What precedes the bytes of each record in the file. */
struct entry {
    struct field_reject reject;
    const char *source;
    int64_t position, full_length;
    size_t kept;
    char sha256[65];
};

struct reject_spool {
    FILE *file;
    int64_t count;
    struct str bytes;
};

static bool spool_failed(struct error *err)
{
    return error_set(err, STATUS_IO,
                     "could not keep rejects in a temporary file; look at the space in TMPDIR");
}

struct reject_spool *reject_open(struct error *err)
{
    FILE *file = tmpfile();
    if (!file) {
        spool_failed(err);
        return NULL;
    }
    struct reject_spool *spool = mem_alloc(sizeof *spool);
    spool->file = file;
    str_init(&spool->bytes);
    return spool;
}

void reject_close(struct reject_spool *spool)
{
    if (!spool)
        return;
    fclose(spool->file);
    str_release(&spool->bytes);
    free(spool);
}

int64_t reject_count(const struct reject_spool *spool)
{
    return spool->count;
}

bool reject_add(struct reject_spool *spool, const char *source, const struct file_line *line,
                const struct field_reject *reject, struct error *err)
{
    struct entry entry = {.reject = *reject,
                          .source = source,
                          .position = line->number,
                          .full_length = line->full_length};
    str_clear(&spool->bytes);
    if (reject->is_parsed)
        json_blank(line->text, line->length, reject_secrets, &spool->bytes);
    else
        str_add(&spool->bytes, line->text, line->length);
    entry.kept = spool->bytes.length;
    if (line->is_too_long) {
        memcpy(entry.sha256, line->sha256, sizeof entry.sha256);
    } else if (entry.kept > KEPT_WHOLE) {
        file_sha256(line->text, line->length, entry.sha256);
        entry.kept = FILE_HEAD;
    }
    spool->count++;
    if (fwrite(&entry, sizeof entry, 1, spool->file) != 1 ||
        fwrite(spool->bytes.text, 1, entry.kept, spool->file) != entry.kept)
        return spool_failed(err);
    return true;
}

static bool write_entry(struct copy *copy, const struct batch *batch, const struct entry *entry,
                        const char *bytes, struct error *err)
{
    if (!copy_row(copy, 10, err))
        return false;
    copy_int(copy, batch->id);
    copy_text(copy, batch->workflow, strlen(batch->workflow));
    copy_text(copy, entry->source, strlen(entry->source));
    copy_int(copy, entry->position);
    copy_text(copy, entry->reject.column, strlen(entry->reject.column));
    copy_text(copy, entry->reject.reason, strlen(entry->reject.reason));
    copy_bytes(copy, bytes, entry->kept);
    copy_int(copy, entry->full_length);
    if (entry->sha256[0])
        copy_text(copy, entry->sha256, strlen(entry->sha256));
    else
        copy_null(copy);
    copy_bool(copy, entry->reject.is_table);
    return true;
}

bool reject_write(struct reject_spool *spool, struct db *db, const struct batch *batch,
                  int64_t limit, struct error *err)
{
    if (spool->count == 0)
        return true;
    int64_t count = limit >= 0 && limit < spool->count ? limit : spool->count;
    bool ok = false;
    int64_t rows;
    struct copy *copy = copy_open(db, &sql_etl_rejected_row, NULL, err);
    if (!copy)
        goto done;
    if (fflush(spool->file) != 0 || fseek(spool->file, 0, SEEK_SET) != 0) {
        spool_failed(err);
        goto done;
    }
    for (int64_t i = 0; i < count; i++) {
        struct entry entry;
        str_clear(&spool->bytes);
        bool is_read = fread(&entry, sizeof entry, 1, spool->file) == 1;
        if (is_read) {
            str_reserve(&spool->bytes, entry.kept);
            is_read = fread(spool->bytes.text, 1, entry.kept, spool->file) == entry.kept;
        }
        if (!is_read) {
            spool_failed(err);
            goto done;
        }
        if (!write_entry(copy, batch, &entry, spool->bytes.text, err))
            goto done;
    }
    ok = copy_end(copy, &rows, err);
done:
    copy_close(copy);
    return ok;
}

static int digit(char hex)
{
    return hex <= '9' ? hex - '0' : hex - 'a' + 10;
}

void reject_add_bytes(const char *hex, struct str *to)
{
    for (; hex[0]; hex += 2)
        str_add_char(to, (char)(digit(hex[0]) << 4 | digit(hex[1])));
}
