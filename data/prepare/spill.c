// SPDX-License-Identifier: GPL-3.0-or-later
// spill.c: records one behind the other, written and read in the order of their numbers (spill.h).
#include "data/prepare/spill.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"

enum { LOOK_EVERY = 8 << 20 }; // bytes, until the disk is asked for its room again

typedef struct record {
    uint64_t number, stamp, n; // n bytes follow: the result, or the error's sentence
    int32_t code;              // ERR_NONE: a result
    int32_t lost;
} record;

struct spill {
    FILE *file; // NULL: given up
    uint64_t written, looked;
    int64_t at; // of the record to be read next
    bool reading;
};

spill *spill_open(const char *dir)
{
    arena a = {.name = "spill"};
    char *path = file_temp(&a, path_join(&a, dir, ".answers"));
    FILE *f = fopen(path, "w+e");
    spill *s = f ? base_checked(calloc(1, sizeof *s), sizeof *s) : NULL;
    if (f) {
        unlink(path);
        s->file = f;
    }
    arena_free(&a);
    return s;
}

void spill_close(spill *s)
{
    if (s && s->file)
        fclose(s->file);
    free(s);
}

static void give_up(spill *s)
{
    fclose(s->file);
    s->file = NULL;
}

// The shards will need as much again.
static bool has_room(spill *s)
{
    struct statvfs disk;
    if (s->written - s->looked < LOOK_EVERY)
        return true;
    s->looked = s->written;
    return fstatvfs(fileno(s->file), &disk) != 0 ||
           (uint64_t)disk.f_bavail * disk.f_frsize > s->written + LOOK_EVERY;
}

void spill_put(spill *s, uint64_t number, uint64_t stamp, const worker_result *r)
{
    if (!s || !s->file)
        return;
    const char *bytes = r->ok ? r->bytes : r->e.text;
    record head = {.number = number,
                   .stamp = stamp,
                   .n = r->ok ? r->n : strlen(r->e.text),
                   .code = (int32_t)r->e.code,
                   .lost = r->lost};
    bool ok = fwrite(&head, sizeof head, 1, s->file) == 1 &&
              (head.n == 0 || fwrite(bytes, (size_t)head.n, 1, s->file) == 1);
    s->written += sizeof head + head.n;
    if (!ok || !has_room(s))
        give_up(s);
}

static bool read_at(const spill *s, int64_t at, void *out, uint64_t n)
{
    return file_read_at(fileno(s->file), out, (size_t)n, at) == (int64_t)n;
}

bool spill_take(spill *s, uint64_t number, uint64_t stamp, arena *a, worker_result *r)
{
    record head;
    if (s && s->file && !s->reading && fflush(s->file))
        give_up(s);
    if (!s || !s->file)
        return false;
    s->reading = true;
    while (s->at < (int64_t)s->written && read_at(s, s->at, &head, sizeof head) &&
           head.number <= number) {
        int64_t from = s->at + (int64_t)sizeof head;
        s->at = from + (int64_t)head.n;
        if (head.number < number)
            continue;
        char *bytes = NEW(a, char, (size_t)head.n + 1);
        if (head.stamp != stamp || !read_at(s, from, bytes, head.n))
            return false;
        *r = (worker_result){
            .ok = head.code == ERR_NONE, .bytes = bytes, .n = (size_t)head.n, .lost = head.lost};
        if (!r->ok)
            err_set(&r->e, (err_code)head.code, "%s", bytes);
        return true;
    }
    return false;
}
