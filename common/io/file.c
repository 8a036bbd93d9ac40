/* SPDX-License-Identifier: MIT */
#include "io/file.h"

#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "io/file_stream.h"

#define BUFFER_SIZE (256 * 1024)

struct file {
    struct file_stream *stream;
    size_t max_record;
    int64_t number;
    bool is_begun; /* a byte order mark was looked for */
    bool is_end;   /* nothing follows what the buffer holds */
    char *buffer;
    size_t capacity;
    size_t next;   /* buffer[next .. filled) was not given to the caller yet */
    size_t filled; /* less than capacity: a NUL always fits behind */
    char *head;    /* of the line that was too long: FILE_HEAD bytes and a NUL */
};

/* ---- digests ---- */

void file_sha256(const void *bytes, size_t length, char *hex)
{
    struct sha256 sha;

    sha256_init(&sha);
    sha256_add(&sha, bytes, length);
    sha256_end(&sha, hex);
}

/* ---- names ---- */

const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] != '\0' ? slash + 1 : path;
}

/* ---- life cycle ---- */

struct file *file_open(const char *path, int64_t max_record, struct error *err)
{
    struct file_stream *stream = file_stream_open(path, false, err);
    struct file *file;

    if (stream == NULL) {
        return NULL;
    }
    file = mem_alloc(sizeof(*file));
    file->stream = stream;
    file->max_record = (size_t)max_record;
    file->capacity = BUFFER_SIZE;
    file->buffer = mem_resize(NULL, file->capacity);
    return file;
}

void file_close(struct file *file)
{
    if (file == NULL) {
        return;
    }
    file_stream_close(file->stream);
    free(file->buffer);
    free(file->head);
    free(file);
}

const char *file_label(const struct file *file)
{
    return file_stream_label(file->stream);
}

int64_t file_bytes(const struct file *file)
{
    return file_stream_bytes(file->stream);
}

int64_t file_size(const struct file *file)
{
    return file_stream_size(file->stream);
}

/* ---- lines ---- */

/* Moves what is left to the front of a buffer that suits it: large only while a large line is
 * read. */
static void make_room(struct file *file)
{
    size_t left = file->filled - file->next;

    memmove(file->buffer, file->buffer + file->next, left);
    file->next = 0;
    file->filled = left;
    if (left + 1 == file->capacity) {
        file->capacity *= 2;
    } else if (file->capacity > BUFFER_SIZE && left < BUFFER_SIZE / 2) {
        file->capacity = BUFFER_SIZE;
    } else {
        return;
    }
    file->buffer = mem_resize(file->buffer, file->capacity);
}

/* Reads more behind what the buffer holds, or notes that there is no more. */
static bool fill(struct file *file, struct error *err)
{
    size_t room;
    size_t got;

    make_room(file);
    room = file->capacity - file->filled - 1;
    /* No more than this at once: pages that were never written are not resident. */
    if (!file_stream_read(file->stream, file->buffer + file->filled,
                          room < BUFFER_SIZE ? room : BUFFER_SIZE, &got, err)) {
        return false;
    }
    file->filled += got;
    file->is_end = got == 0;
    return true;
}

/* Reads the beginning and passes a byte order mark. */
static bool begin(struct file *file, struct error *err)
{
    while (file->filled < 3 && !file->is_end) {
        if (!fill(file, err)) {
            return false;
        }
    }
    if (file->filled >= 3 && memcmp(file->buffer, "\xef\xbb\xbf", 3) == 0) {
        file->next = 3;
    }
    file->is_begun = true;
    return true;
}

/* What is in the buffer of the line that begins at next. */
struct part {
    char *text;
    size_t length; /* without its end; a CR where the buffer ends may belong to the end, too */
    size_t size;   /* with its end; 0: the line goes on behind the buffer */
};

/* The first seen bytes hold no LF. */
static struct part find_part(const struct file *file, size_t seen)
{
    size_t left = file->filled - file->next;
    struct part part = {.text = file->buffer + file->next, .length = left};
    const char *end = memchr(part.text + seen, '\n', left - seen);

    if (end != NULL) {
        part.length = (size_t)(end - part.text);
        part.size = part.length + 1;
    } else if (file->is_end) {
        part.size = left;
    }
    if (part.length > 0 && part.text[part.length - 1] == '\r') {
        part.length--;
    }
    return part;
}

/* Walks over a line that is too long, keeping its head and what tells it from others. */
static bool skip(struct file *file, struct part part, struct file_line *line, struct error *err)
{
    struct sha256 sha;

    sha256_init(&sha);
    if (file->head == NULL) {
        file->head = mem_alloc(FILE_HEAD + 1);
    }
    line->text = file->head;
    line->is_too_long = true;
    for (;;) {
        size_t room = FILE_HEAD - line->length;
        size_t kept = part.length < room ? part.length : room;

        memcpy(file->head + line->length, part.text, kept);
        line->length += kept;
        line->full_length += (int64_t)part.length;
        sha256_add(&sha, part.text, part.length);
        if (part.size > 0 || file->is_end) {
            file->next += part.size;
            line->is_crlf = part.size == part.length + 2;
            break;
        }
        file->next += part.length;
        if (!fill(file, err)) {
            return false;
        }
        part = find_part(file, 0);
    }
    sha256_end(&sha, line->sha256);
    file->head[line->length] = '\0';
    return true;
}

enum file_got file_next(struct file *file, struct file_line *line, struct error *err)
{
    struct part part;
    size_t seen = 0;

    if (!file->is_begun && !begin(file, err)) {
        return FILE_FAILED;
    }
    for (;;) {
        part = find_part(file, seen);
        if (part.length > file->max_record || part.size > 0) {
            break;
        }
        if (file->is_end) {
            return FILE_END;
        }
        seen = file->filled - file->next;
        if (!fill(file, err)) {
            return FILE_FAILED;
        }
    }
    memset(line, 0, sizeof(*line));
    line->number = ++file->number;
    if (part.length > file->max_record) {
        return skip(file, part, line, err) ? FILE_LINE : FILE_FAILED;
    }
    file->next += part.size;
    part.text[part.length] = '\0';
    line->text = part.text;
    line->length = part.length;
    line->full_length = (int64_t)part.length;
    line->is_crlf = part.size == part.length + 2;
    return FILE_LINE;
}

/* ---- beside the content ---- */

int64_t file_modified(const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return INT64_MAX;
    }
    return (int64_t)status.st_mtim.tv_sec * CLOCK_SECOND + status.st_mtim.tv_nsec / 1000;
}

/* ---- small files ---- */

bool file_read_all(const char *path, size_t max, struct str *to, struct error *err)
{
    struct file_stream *stream = file_stream_open(path, true, err);
    size_t before = to->length;
    bool is_done = false;
    size_t got;

    if (stream == NULL) {
        return false;
    }
    do {
        size_t room = max - (to->length - before) + 1; /* one more tells that it is longer */

        room = room < BUFFER_SIZE ? room : BUFFER_SIZE;
        str_reserve(to, room);
        if (!file_stream_read(stream, to->text + to->length, room, &got, err)) {
            goto done;
        }
        to->length += got;
        if (to->length - before > max) {
            error_set(err, STATUS_IO, "%s is longer than %zu bytes; name the right one",
                      file_stream_label(stream), max);
            goto done;
        }
    } while (got > 0);
    is_done = true;
done:
    if (!is_done) {
        to->length = before;
    }
    to->text[to->length] = '\0';
    file_stream_close(stream);
    return is_done;
}
