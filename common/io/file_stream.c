/* SPDX-License-Identifier: MIT */
#include "io/file_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "base/interrupt.h"
#include "base/mem.h"
#include "io/file.h"

#define INPUT_SIZE (64 * 1024)

/* As many bytes as tell the formats apart. */
#define MAGIC_SIZE 4

enum format { FORMAT_UNKNOWN, FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD };

struct file_stream {
    int fd;
    char label[300];
    enum format format;
    bool is_inside;  /* a member or frame has begun and not ended */
    bool is_held_up; /* the room given last time was too small for what was there */
    int64_t bytes;
    z_stream gzip;
    ZSTD_DStream *zstd;
    size_t next; /* input[next .. filled) was read and not used yet */
    size_t filled;
    unsigned char input[INPUT_SIZE];
};

/* ---- life cycle ---- */

static bool refuse_open(const struct file_stream *stream, int cause, struct error *err)
{
    if (cause == EACCES || cause == EPERM) {
        return error_set(err, STATUS_PERMISSION, "%s cannot be read: %s; let this user read it",
                         stream->label, strerror(cause));
    }
    return error_set(err, STATUS_IO, "%s could not be opened: %s; check the path", stream->label,
                     strerror(cause));
}

/* Opens without waiting: a pipe whose writer is not there yet would keep us from noticing a stop.
 * Reads wait first, see read_raw. */
static bool open_path(struct file_stream *stream, const char *path, struct error *err)
{
    struct stat about;

    stream->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (stream->fd < 0) {
        return refuse_open(stream, errno, err);
    }
    if (fstat(stream->fd, &about) == 0 && S_ISDIR(about.st_mode)) {
        return error_set(err, STATUS_IO, "%s is a directory; name a file in it", stream->label);
    }
    return true;
}

struct file_stream *file_stream_open(const char *path, bool is_raw, struct error *err)
{
    struct file_stream *stream = mem_alloc(sizeof(*stream));

    stream->fd = STDIN_FILENO;
    stream->format = is_raw ? FORMAT_PLAIN : FORMAT_UNKNOWN;
    if (strcmp(path, "-") == 0) {
        snprintf(stream->label, sizeof(stream->label), "standard input");
        return stream;
    }
    snprintf(stream->label, sizeof(stream->label), "file \"%s\"", file_name(path));
    if (!open_path(stream, path, err)) {
        file_stream_close(stream);
        return NULL;
    }
    return stream;
}

void file_stream_close(struct file_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->format == FORMAT_GZIP) {
        inflateEnd(&stream->gzip);
    }
    ZSTD_freeDStream(stream->zstd);
    if (stream->fd > STDIN_FILENO) {
        close(stream->fd);
    }
    free(stream);
}

int64_t file_stream_bytes(const struct file_stream *stream)
{
    return stream->bytes;
}

int64_t file_stream_size(const struct file_stream *stream)
{
    struct stat about;

    return fstat(stream->fd, &about) == 0 && S_ISREG(about.st_mode) ? about.st_size : 0;
}

const char *file_stream_label(const struct file_stream *stream)
{
    return stream->label;
}

/* ---- reading ---- */

/* Reads what is stored. *got 0 is the end. */
static bool read_raw(struct file_stream *stream, void *bytes, size_t size, size_t *got,
                     struct error *err)
{
    enum interrupt_waited waited;
    ssize_t count = 0;

    do {
        waited = interrupt_wait(stream->fd, POLLIN, -1, NULL);
        if (waited == INTERRUPT_STOP) {
            return error_set(err, STATUS_INTERRUPTED, "asked to stop while reading %s; run again",
                             stream->label);
        }
        if (waited == INTERRUPT_READY) {
            count = read(stream->fd, bytes, size);
        }
    } while (waited != INTERRUPT_READY || (count < 0 && (errno == EINTR || errno == EAGAIN)));
    if (count < 0) {
        return error_set(err, STATUS_IO, "%s could not be read: %s; try again", stream->label,
                         strerror(errno));
    }
    stream->bytes += count;
    *got = (size_t)count;
    return true;
}

/* Makes sure that the decompressor has something to go on with, except at the end, which is not
 * allowed inside of a member or frame. */
static bool fill(struct file_stream *stream, bool *is_end, struct error *err)
{
    *is_end = false;
    if (stream->next < stream->filled || stream->is_held_up) {
        return true;
    }
    stream->next = 0;
    if (!read_raw(stream, stream->input, sizeof(stream->input), &stream->filled, err)) {
        return false;
    }
    *is_end = stream->filled == 0;
    if (*is_end && stream->is_inside) {
        return error_set(err, STATUS_IO,
                         "%s ends early: its compressed data are cut; fetch it again",
                         stream->label);
    }
    return true;
}

static bool refuse_damage(const struct file_stream *stream, struct error *err)
{
    return error_set(err, STATUS_IO, "%s is damaged: it cannot be decompressed; fetch it again",
                     stream->label);
}

/* Looks at the first bytes, for which a pipe may take several reads. */
static bool detect(struct file_stream *stream, struct error *err)
{
    const unsigned char *first = stream->input;
    bool is_ready = true;
    size_t got;

    do {
        if (!read_raw(stream, stream->input + stream->filled, MAGIC_SIZE - stream->filled, &got,
                      err)) {
            return false;
        }
        stream->filled += got;
    } while (got > 0 && stream->filled < MAGIC_SIZE);
    stream->format = FORMAT_PLAIN;
    if (stream->filled >= 2 && first[0] == 0x1f && first[1] == 0x8b) {
        stream->format = FORMAT_GZIP;
        is_ready = inflateInit2(&stream->gzip, 16 + MAX_WBITS) == Z_OK;
    } else if (stream->filled == MAGIC_SIZE &&
               (memcmp(first, "\x28\xb5\x2f\xfd", 4) == 0 ||
                ((first[0] & 0xf0) == 0x50 && memcmp(first + 1, "\x2a\x4d\x18", 3) == 0))) {
        /* a frame, or one to be skipped: pzstd begins with such */
        stream->format = FORMAT_ZSTD;
        stream->zstd = ZSTD_createDStream();
        is_ready = stream->zstd != NULL;
    }
    if (!is_ready) {
        error_set(err, STATUS_TEMPORARY, "out of memory; try again"); /* uncovered: there is some */
    }
    return is_ready;
}

/* Members may follow each other; nothing else may follow them. */
static bool read_gzip(struct file_stream *stream, char *bytes, size_t size, size_t *got,
                      struct error *err)
{
    z_stream *gzip = &stream->gzip;
    bool is_end;
    int outcome;

    *got = 0;
    do {
        if (!fill(stream, &is_end, err)) {
            return false;
        }
        if (is_end) {
            return true;
        }
        if (!stream->is_inside) {
            inflateReset(gzip);
        }
        stream->is_inside = true;
        gzip->next_in = stream->input + stream->next;
        gzip->avail_in = (uInt)(stream->filled - stream->next);
        gzip->next_out = (Bytef *)bytes;
        gzip->avail_out = size > INPUT_SIZE ? INPUT_SIZE : (uInt)size;
        outcome = inflate(gzip, Z_NO_FLUSH);
        stream->next = stream->filled - gzip->avail_in;
        *got = (size_t)(gzip->next_out - (Bytef *)bytes);
        if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) {
            return refuse_damage(stream, err);
        }
        stream->is_inside = outcome != Z_STREAM_END;
        stream->is_held_up = stream->is_inside && gzip->avail_out == 0;
    } while (*got == 0);
    return true;
}

static bool read_zstd(struct file_stream *stream, char *bytes, size_t size, size_t *got,
                      struct error *err)
{
    ZSTD_outBuffer output = {.dst = bytes, .size = size, .pos = 0};
    bool is_end;

    *got = 0;
    do {
        ZSTD_inBuffer input;
        size_t outcome;

        if (!fill(stream, &is_end, err)) {
            return false;
        }
        if (is_end) {
            return true;
        }
        input.src = stream->input;
        input.size = stream->filled;
        input.pos = stream->next;
        outcome = ZSTD_decompressStream(stream->zstd, &output, &input);
        stream->next = input.pos;
        if (ZSTD_isError(outcome)) {
            return refuse_damage(stream, err);
        }
        stream->is_inside = outcome != 0;
        stream->is_held_up = stream->is_inside && output.pos == output.size;
    } while (output.pos == 0);
    *got = output.pos;
    return true;
}

bool file_stream_read(struct file_stream *stream, char *bytes, size_t size, size_t *got,
                      struct error *err)
{
    if (stream->format == FORMAT_UNKNOWN && !detect(stream, err)) {
        return false;
    }
    if (stream->format == FORMAT_GZIP) {
        return read_gzip(stream, bytes, size, got, err);
    }
    if (stream->format == FORMAT_ZSTD) {
        return read_zstd(stream, bytes, size, got, err);
    }
    if (stream->next == stream->filled) {
        return read_raw(stream, bytes, size, got, err);
    }
    *got = stream->filled - stream->next < size ? stream->filled - stream->next : size;
    memcpy(bytes, stream->input + stream->next, *got);
    stream->next += *got;
    return true;
}
