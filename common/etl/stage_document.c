/* SPDX-License-Identifier: MIT
 *
 * A server that sends documents: rows of COPY's text format with one column each.
 */
#include "base/log.h"
#include "etl/stage_file.h"
#include "io/db.h"

/* Takes COPY's escapes away, and the newline. JSON has no control characters of its own, so only
 * the backslash needed one. */
static void unescape(const char *bytes, size_t length, struct str *text)
{
    str_clear(text);
    if (length > 0 && bytes[length - 1] == '\n')
        length--;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\\' && i + 1 < length)
            i++;
        str_add_char(text, bytes[i]);
    }
}

bool stage_read_documents(struct stage_reading *reading, struct source *source, struct error *err)
{
    struct str text;
    struct stage_bound bound;
    struct file_line line = {0};
    const char *bytes;
    size_t length;
    int64_t rows;
    bool ok;
    if (source->since >= source->until)
        return true;
    stage_bind(reading->stage, source, &bound);
    if (!db_copy_out(source->db, reading->stage->feed->source, bound.values, err))
        return false;
    str_init(&text);
    while ((ok = db_copy_get(source->db, &bytes, &length, err)) && length > 0) {
        reading->stage->counts.bytes += (int64_t)length;
        reading->progress.bytes = reading->stage->counts.bytes;
        unescape(bytes, length, &text);
        line.text = text.text;
        line.length = line.full_length = text.length;
        line.number++;
        line.is_too_long = (int64_t)text.length > reading->stage->max_record;
        if (line.is_too_long && line.length > FILE_HEAD)
            line.length = FILE_HEAD;
        ok = stage_take_document(reading, source, &line, err);
        if (!ok)
            break;
    }
    ok = ok && db_copy_out_end(source->db, &rows, err);
    str_release(&text);
    return ok;
}
