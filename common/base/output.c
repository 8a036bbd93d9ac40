/* SPDX-License-Identifier: MIT */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"

/* False with errno. A signal ends the waiting (EINTR) once it asked for a stop. */
static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, text, length);

        if (written >= 0) {
            text += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            /* The other end of a pipe may have made it non-blocking for us, too. */
            interrupt_wait(fd, POLLOUT, -1, NULL);
        } else if (errno != EINTR) {
            return false;
        }
        if (length > 0 && interrupt_signal()) {
            errno = EINTR;
            return false;
        }
    }
    return true;
}

bool output_print(const char *text, size_t length, const char *remedy, struct error *err)
{
    bool ok = write_all(STDOUT_FILENO, text, length);
    int cause = errno;

    if (close(STDOUT_FILENO) != 0 && ok)
        cause = errno, ok = false; /* uncovered: needs a network file system with a full quota */
    if (ok)
        return true;
    return error_set(err, cause == EINTR ? STATUS_INTERRUPTED : STATUS_IO,
                     "could not write to standard output: %s; %s", strerror(cause), remedy);
}

bool output_check_file(const char *path, struct error *err)
{
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return error_set(err, STATUS_USAGE,
                         "file \"%s\" is there and is no regular file; name another", path);
    return true;
}

/* The folder's own entry; best effort, since the file itself is safe and complete. */
static void sync_folder(const char *path)
{
    struct str folder;
    const char *slash = strrchr(path, '/');

    str_init(&folder);
    if (slash)
        str_add(&folder, path, (size_t)(slash - path) + 1);
    else
        str_add_char(&folder, '.');

    int fd = open(folder.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    str_release(&folder);
}

/* mkstemp lets nobody else read; a result is like any file that one makes. */
static bool set_usual_mode(int fd)
{
    mode_t mask = umask(0);

    umask(mask);
    return fchmod(fd, 0666 & ~mask) == 0;
}

/* Says errno. */
static bool file_failed(const struct output_file *file, struct error *err)
{
    return error_set(err, STATUS_IO, "could not write file \"%s\": %s; %s", file->path,
                     strerror(errno), file->remedy);
}

bool output_file_open(struct output_file *file, const char *path, const char *remedy,
                      struct error *err)
{
    if (!output_check_file(path, err))
        return false;
    *file = (struct output_file){.path = path, .remedy = remedy};
    str_init(&file->temporary);
    str_add_format(&file->temporary, "%s.XXXXXX", path);
    int fd = mkstemp(file->temporary.text);
    file->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file->stream)
        return true;
    file_failed(file, err);
    if (fd >= 0) {
        close(fd);
        unlink(file->temporary.text);
    }
    str_release(&file->temporary);
    return false;
}

bool output_file_add(struct output_file *file, const char *bytes, size_t length, struct error *err)
{
    return fwrite(bytes, 1, length, file->stream) == length || file_failed(file, err);
}

bool output_file_close(struct output_file *file, bool is_whole, struct error *err)
{
    if (is_whole && (fflush(file->stream) != 0 || fsync(fileno(file->stream)) != 0))
        is_whole = file_failed(file, err);
    bool is_closed = fclose(file->stream) == 0;
    if (is_whole && (!is_closed || rename(file->temporary.text, file->path) != 0))
        is_whole = file_failed(file, err);
    if (is_whole)
        sync_folder(file->path);
    else
        unlink(file->temporary.text);
    str_release(&file->temporary);
    return is_whole;
}

bool output_put_file(const char *path, const char *text, size_t length, const char *remedy,
                     struct error *err)
{
    struct output_file file;

    if (!output_file_open(&file, path, remedy, err))
        return false;
    bool ok = (set_usual_mode(fileno(file.stream)) || file_failed(&file, err)) &&
              output_file_add(&file, text, length, err);
    return output_file_close(&file, ok, err);
}
