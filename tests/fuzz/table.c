/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "reference_json.h"

#define MAX_RECORD 512 /* so that the fuzzer finds records that are longer */

/* Files in memory, the one that is read and the one of what is joined again. */
enum place { GIVEN, JOINED };

/* Writes one of them anew; the path to open it by. */
static const char *write_table(enum place place, const void *bytes, size_t length)
{
    static int descriptors[2];
    static char path[32];
    if (descriptors[place] == 0) {
        snprintf(path, sizeof path, "/factline-%ld-%d", (long)getpid(), (int)place);
        descriptors[place] = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        FUZZ_EXPECT(descriptors[place] > 0 && shm_unlink(path) == 0);
    }
    FUZZ_EXPECT(ftruncate(descriptors[place], 0) == 0);
    FUZZ_EXPECT(pwrite(descriptors[place], bytes, length, 0) == (ssize_t)length);
    snprintf(path, sizeof path, "/dev/fd/%d", descriptors[place]);
    return path;
}

/* An empty text in memory that is kept from input to input. */
static void begin(struct str *text)
{
    if (text->text == NULL)
        str_init(text);
    str_clear(text);
}

static void add_comma_cell(struct str *to, const struct csv_cell *cell)
{
    if (cell->is_null)
        return;
    str_add_char(to, '"');
    for (size_t i = 0; i < cell->length; i++) {
        if (cell->text[i] == '"')
            str_add_char(to, '"');
        str_add_char(to, cell->text[i]);
    }
    str_add_char(to, '"');
}

/* As `mysql --batch` does; its text NULL cannot be told from NULL. */
static void add_tab_cell(struct str *to, const struct csv_cell *cell)
{
    static const char letters[] = "tnr\\", bytes[] = "\t\n\r\\";
    if (cell->is_null)
        str_add_text(to, "NULL");
    for (size_t i = 0; i < cell->length; i++) {
        const char *place = strchr(bytes, cell->text[i]);
        if (place == NULL) {
            str_add_char(to, cell->text[i]);
        } else {
            str_add_char(to, '\\');
            str_add_char(to, letters[place - bytes]);
        }
    }
}

static void add_record(struct str *to, const struct csv_cell *cells, size_t count,
                       enum csv_dialect dialect)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            str_add_char(to, dialect == CSV_TAB ? '\t' : ',');
        if (dialect == CSV_TAB)
            add_tab_cell(to, &cells[i]);
        else
            add_comma_cell(to, &cells[i]);
    }
    str_add_char(to, '\n');
}

static bool is_same_cell(const struct csv_cell *one, const struct csv_cell *other)
{
    return one->is_null == other->is_null && one->length == other->length &&
           memcmp(one->text, other->text, one->length) == 0;
}

/* The cells under a header of as many names, as a file, and back. */
static void join_and_split(const struct csv_cell *cells, size_t count, enum csv_dialect dialect)
{
    static struct str text;
    struct csv_record record;
    struct error err = {0};
    begin(&text);
    for (size_t i = 0; i < count; i++)
        str_add_format(&text, "%sc%zu", i == 0 ? "" : dialect == CSV_TAB ? "\t" : ",", i);
    str_add_char(&text, '\n');
    add_record(&text, cells, count, dialect);
    struct csv *csv = csv_open(write_table(JOINED, text.text, text.length), dialect, 1 << 20, &err);
    FUZZ_EXPECT(csv != NULL);
    FUZZ_EXPECT(csv_next(csv, &record, &err) == CSV_RECORD);
    FUZZ_EXPECT(record.count == count && csv_column(csv, "c0") == 0);
    for (size_t i = 0; i < count; i++)
        FUZZ_EXPECT(is_same_cell(&record.cells[i], &cells[i]));
    FUZZ_EXPECT(csv_next(csv, &record, &err) == CSV_END);
    csv_close(csv);
}

/* ---- from bytes ---- */

static void judge_reason(const struct csv_record *record, enum csv_dialect dialect)
{
    const char *reason = record->reason;
    const struct file_line *raw = record->raw;
    bool has_nul = memchr(raw->text, 0, raw->length) != NULL;
    FUZZ_EXPECT(record->cells == NULL && record->count == 0);
    if (strcmp(reason, "too_long") == 0)
        return;
    FUZZ_EXPECT(!raw->is_too_long && raw->full_length == (int64_t)raw->length);
    if (strcmp(reason, "bad_encoding") == 0)
        FUZZ_EXPECT(!reference_is_utf8(raw->text, raw->length));
    else if (strcmp(reason, "nul_character") == 0)
        FUZZ_EXPECT(has_nul || (dialect == CSV_TAB && strstr(raw->text, "\\0")));
    else
        FUZZ_EXPECT(!has_nul && reference_is_utf8(raw->text, raw->length) &&
                    (strcmp(reason, "field_count") == 0 || strcmp(reason, "bad_escape") == 0));
}

struct copied {
    struct csv_cell cells[64];
    struct str text;
};

/* Cells are borrowed until the next call: kept for the way back. */
static void judge_cells(const struct csv_record *record, enum csv_dialect dialect)
{
    static struct copied copied;
    if (record->count > 64)
        return;
    begin(&copied.text);
    for (size_t i = 0; i < record->count; i++) {
        const struct csv_cell *cell = &record->cells[i];
        FUZZ_EXPECT(!cell->is_null || cell->length == 0);
        FUZZ_EXPECT(reference_is_utf8(cell->text, cell->length));
        FUZZ_EXPECT(memchr(cell->text, 0, cell->length) == NULL);
        str_add(&copied.text, cell->text, cell->length);
    }
    const char *text = copied.text.text;
    for (size_t i = 0; i < record->count; i++) {
        copied.cells[i] = record->cells[i];
        copied.cells[i].text = text;
        text += copied.cells[i].length;
        if (dialect == CSV_TAB && copied.cells[i].length == 4 &&
            memcmp(copied.cells[i].text, "NULL", 4) == 0)
            return; /* the name of a column that is to be a cell */
    }
    join_and_split(copied.cells, record->count, dialect);
}

/* A record that is kept is read again by its header, and with cells blanked but for these. */
static void judge_kept(struct csv *kept, const struct csv_record *record)
{
    static const char *const names[] = {"b", "c1", NULL};
    static struct str blanked;
    struct csv_record again;
    FUZZ_EXPECT(csv_take(kept, record->raw->text, record->raw->length, &again) == CSV_RECORD);
    FUZZ_EXPECT(again.count == record->count);
    for (size_t i = 0; i < record->count; i++)
        FUZZ_EXPECT(is_same_cell(&again.cells[i], &record->cells[i]));
    begin(&blanked);
    csv_blank(kept, record, names, &blanked);
    FUZZ_EXPECT(csv_take(kept, blanked.text, blanked.length, &again) == CSV_RECORD);
    FUZZ_EXPECT(again.count == record->count);
    for (size_t i = 0; i < record->count; i++) {
        bool is_blank = i == csv_column(kept, "b") || i == csv_column(kept, "c1");
        FUZZ_EXPECT(is_blank ? again.cells[i].is_null
                             : is_same_cell(&again.cells[i], &record->cells[i]));
    }
}

static bool is_packed(const uint8_t *data, size_t size)
{
    static const uint8_t gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
    return (size >= 2 && memcmp(data, gzip, 2) == 0) || (size >= 4 && memcmp(data, zstd, 4) == 0);
}

/* Without the ends of lines: a missing last one and blank lines do not count. */
static void add_squeezed(struct str *to, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\n' && bytes[i] != '\r')
            str_add_char(to, bytes[i]);
}

static void read_all(struct csv *csv, struct csv *kept, const uint8_t *data, size_t size,
                     enum csv_dialect dialect)
{
    static struct str given, read;
    struct csv_record record;
    struct error err = {0};
    enum csv_got got;
    bool is_whole = !is_packed(data, size);
    int64_t number = 1;
    begin(&read);
    while ((got = csv_next(csv, &record, &err)) == CSV_RECORD || got == CSV_BAD) {
        FUZZ_EXPECT(record.raw->number > number);
        FUZZ_EXPECT((got == CSV_BAD) == (record.reason != NULL));
        number = record.raw->number;
        is_whole = is_whole && !record.raw->is_too_long;
        add_squeezed(&read, record.raw->text, record.raw->length);
        if (got == CSV_BAD) {
            judge_reason(&record, dialect);
        } else if (number < 8) { /* enough of a long file */
            judge_kept(kept, &record);
            judge_cells(&record, dialect);
        }
    }
    FUZZ_EXPECT(got == CSV_END || err.status == STATUS_IO);
    if (!is_whole || got != CSV_END)
        return;
    /* The header comes before all records. */
    begin(&given);
    add_squeezed(&given, (const char *)data, size);
    FUZZ_EXPECT(given.length >= read.length);
    FUZZ_EXPECT(memcmp(given.text + given.length - read.length, read.text, read.length) == 0);
}

static void from_bytes(const uint8_t *data, size_t size, enum csv_dialect dialect)
{
    struct error err = {0};
    struct csv *csv = csv_open(write_table(GIVEN, data, size), dialect, MAX_RECORD, &err);
    if (csv == NULL) {
        FUZZ_EXPECT(err.status == STATUS_DATA || err.status == STATUS_IO);
    } else if (!csv_is_empty(csv)) {
        size_t length;
        const char *header = csv_header(csv, &length);
        struct csv *kept = csv_open_kept(header, length, dialect, &err);
        FUZZ_EXPECT(kept != NULL);
        read_all(csv, kept, data, size, dialect);
        csv_close(kept);
    }
    csv_close(csv);
}

/* ---- from cells ---- */

/* Cells are what stands between bytes 0xff, NULL where it is 0xfe alone. */
static void from_cells(const char *data, size_t size, enum csv_dialect dialect)
{
    struct csv_cell cells[64];
    size_t count = 0;
    const char *end = data + size;
    for (const char *at = data; count < 64; at++) {
        const char *next = memchr(at, 0xff, (size_t)(end - at));
        size_t length = (size_t)((next ? next : end) - at);
        bool is_null = length == 1 && (unsigned char)*at == 0xfe;
        cells[count++] =
            (struct csv_cell){.text = at, .length = is_null ? 0 : length, .is_null = is_null};
        if (!is_null && (memchr(at, 0, length) || !reference_is_utf8(at, length) ||
                         (dialect == CSV_TAB && length == 4 && memcmp(at, "NULL", 4) == 0)))
            return;
        if (next == NULL)
            break;
        at = next;
    }
    join_and_split(cells, count, dialect);
}

int table_fuzz(const uint8_t *data, size_t size, enum csv_dialect dialect)
{
    if (size > 0 && data[0] == 0xff)
        from_cells((const char *)data + 1, size - 1, dialect);
    else
        from_bytes(data, size, dialect);
    return 0;
}
