// SPDX-License-Identifier: GPL-3.0-or-later
// clip_source.c: an audio file, and which decoder it belongs to (clip_source.h). It is opened here
// and not by a library, because opening a FIFO waits for its writer.
#include "data/audio/clip_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/audio/clip_whole.h"

static bool open_file(clip_source *s, err *e)
{
    struct stat st;
    clip_header h;
    s->file.fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (s->file.fd < 0)
        return err_errno(e, "cannot open '%s'; correct the path or its permissions", s->path);
    if (fstat(s->file.fd, &st))
        return err_errno(e, "cannot look at '%s'; check the disk", s->path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_FORMAT, "'%s' is %s, not an audio file; name a file", s->path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a pipe or device");
    if (st.st_size == 0)
        return err_set(e, ERR_EMPTY,
                       "'%s' is empty (0 bytes); copy it again or remove it from the list",
                       s->path);
    s->size = st.st_size;
    if (!clip_whole(&s->file, s->size, &h))
        return err_set(e, ERR_DAMAGED,
                       "'%s' is cut short: %lld of the %lld bytes that its last part announces are "
                       "missing; copy it again or remove it",
                       s->path, (long long)h.missing, (long long)h.stated);
    return true;
}

bool clip_source_damaged(const clip_source *s, const char *why, err *e)
{
    return err_set(e, ERR_DAMAGED,
                   "'%s' cannot be decoded after %.3f seconds (%.*s); copy it again or remove it",
                   s->path, (double)s->at / s->rate, (int)strcspn(why, ".\n"), why);
}

// ---- Which decoder

// Where the file begins behind an ID3v2 tag, which may stand before anything.
static int64_t behind_tags(clip_file *f)
{
    unsigned char b[10];
    int64_t at = 0;
    while (clip_file_read(f, b, sizeof b, at) == (int64_t)sizeof b && !memcmp(b, "ID3", 3))
        at += 10 + ((b[6] & 127) << 21 | (b[7] & 127) << 14 | (b[8] & 127) << 7 | (b[9] & 127)) +
              (b[5] & 16 ? 10 : 0);
    return at;
}

static const clip_source_def *choose(clip_source *s)
{
    unsigned char b[4] = {0};
    if (clip_file_read(&s->file, b, 4, s->head) != 4)
        return &clip_sndfile;
    if (!memcmp(b, "OggS", 4))
        return &clip_ogg;
    if (!memcmp(b, "fLaC", 4))
        return &clip_flac;
    return s->head > 0 || (b[0] == 0xff && (b[1] & 0xe0) == 0xe0) ? &clip_mpeg : &clip_sndfile;
}

static bool try_decoder(clip_source *s, const clip_source_def *def, arena *a, err *e)
{
    s->def = def;
    if (def->open(s, a, e))
        return true;
    def->close(s);
    s->self = NULL, s->def = NULL;
    return false;
}

// MPEG audio has no mark of its own, and may begin anywhere: whatever nobody knows is looked
// through for frames.
static bool open_decoder(clip_source *s, arena *a, err *e)
{
    s->head = behind_tags(&s->file);
    const clip_source_def *first = choose(s);
    return try_decoder(s, first, a, e) ||
           (first == &clip_sndfile && e->code == ERR_FORMAT && clip_mpeg_find(&s->file, 0) >= 0 &&
            try_decoder(s, &clip_mpeg, a, e));
}

bool clip_source_open(clip_source *s, const char *path, arena *a, err *e)
{
    *s = (clip_source){.path = path, .file.fd = -1};
    return open_file(s, e) && open_decoder(s, a, e);
}

void clip_source_close(clip_source *s)
{
    if (s->def)
        s->def->close(s);
    if (s->file.fd >= 0)
        close(s->file.fd);
}

bool clip_source_was_read(const clip_source *s, bool ok, err *e)
{
    errno = s->file.failure;
    return s->file.failure ? err_errno(e, "cannot read '%s'; check the disk and try again", s->path)
                           : ok;
}
