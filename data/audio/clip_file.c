// SPDX-License-Identifier: GPL-3.0-or-later
// clip_file.c: remembering what fails (clip_file.h).
#include "data/audio/clip_file.h"

#include <errno.h>

#include "base/file.h"

int64_t clip_file_read(clip_file *f, void *out, int64_t n, int64_t at)
{
    int64_t got = f->failure || n < 0 ? -1 : file_read_at(f->fd, out, (size_t)n, at);
    if (got < 0 && !f->failure)
        f->failure = n < 0 ? EINVAL : errno;
    return got;
}
