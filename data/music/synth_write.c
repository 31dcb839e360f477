// SPDX-License-Identifier: GPL-3.0-or-later
// synth_write.c: the synthetic corpus as files (synth.h). The index comes last: a folder without
// one is not a corpus yet.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/midi/midi_write.h"
#include "data/music/synth.h"

enum { BLOCK = 64 }; // clips between two questions whether to stop

typedef struct block {
    const char *dir;
    const synth_options *o;
    int64_t first, n;
    int count;
    err *errors; // [count]
} block;

const char *synth_path(arena *a, const synth_options *o, uint64_t number)
{
    return arena_printf(a, o->midi ? "midi/%05llu.mid" : "wav/%05llu.wav",
                        (unsigned long long)number);
}

const char *synth_index(const synth_options *o)
{
    return o->midi ? "labels.jsonl" : "manifest.jsonl";
}

static bool write_wav(const char *path, const synth_options *o, uint64_t number, err *e)
{
    clip c;
    bool ok = synth_clip(o, number, &c, e) && clip_write_wav(path, c.samples, c.frames, c.rate, e);
    clip_free(&c);
    return ok;
}

static bool write_midi(const char *path, const synth_options *o, uint64_t number, err *e)
{
    arena a = {.name = "synth"};
    synth_piece p;
    synth_compose(o, number, &a, &p);
    bool ok = midi_write(path, synth_song(&a, &p), e);
    arena_free(&a);
    return ok;
}

static void write_part(void *arg, int index, int count)
{
    block *b = arg;
    int64_t lo, hi;
    threads_part(b->n, 1, index, count, &lo, &hi);
    for (int64_t i = lo; i < hi && !b->errors[index].code; i++) {
        arena a = {.name = "synth"};
        uint64_t number = (uint64_t)(b->first + i);
        const char *path = path_join(&a, b->dir, synth_path(&a, b->o, number));
        if (!(b->o->midi ? write_midi : write_wav)(path, b->o, number, &b->errors[index]))
            err_trail(&b->errors[index], "synthetic corpus");
        arena_free(&a);
    }
}

static bool write_block(block *b, threads *pool, err *e)
{
    b->count = threads_count(pool) < b->n ? threads_count(pool) : (int)b->n;
    err *errors = b->errors =
        base_checked(calloc((size_t)b->count, sizeof *errors), sizeof *errors);
    threads_run(pool, b->count, write_part, b);
    bool ok = true;
    for (int i = 0; ok && i < b->count; i++)
        ok = errors[i].code == ERR_NONE || err_set(e, errors[i].code, "%s", errors[i].text);
    free(errors);
    return ok;
}

static void put_line(file_out *f, const synth_options *o, uint64_t number)
{
    arena a = {.name = "synth"};
    synth_piece p;
    strbuf line = {0};
    json *j = json_object();
    synth_compose(o, number, &a, &p);
    json_set_str(j, "path", synth_path(&a, o, number));
    json_set_str(j, "label", p.label);
    json_set_num(j, "valence", round(p.valence * 1000) / 1000);
    json_set_num(j, "arousal", round(p.arousal * 1000) / 1000);
    json_set_str(j, "group", arena_printf(&a, "player-%02d", p.player));
    json_set_str(j, "split", p.split);
    json_set_num(j, "duration", o->seconds);
    json_set_bool(j, "synthetic", true);
    json_dump(j, 0, &line);
    strbuf_add(&line, "\n", 1);
    file_put(f, line.s, line.len);
    json_free(j);
    strbuf_free(&line);
    arena_free(&a);
}

static bool write_manifest(const char *path, const synth_options *o, err *e)
{
    file_out *f = file_create(path, e);
    for (int64_t i = 0; f && i < o->items; i++)
        put_line(f, o, (uint64_t)i);
    return f && file_finish(f, e);
}

// Is there a manifest that we did not write?
static bool is_ours(const char *manifest, err *e)
{
    arena a = {.name = "synth"};
    char line[512] = "";
    uint64_t size;
    bool ok = true;
    if (file_exists(manifest)) {
        int fd = file_open(manifest, &size, e);
        if (fd < 0)
            return false;
        int64_t got = file_read_at(fd, line, sizeof line - 1, 0);
        close(fd);
        size_t n = got > 0 ? (size_t)got : 0;
        n = (size_t)(memchr(line, '\n', n) ? (char *)memchr(line, '\n', n) - line : (long)n);
        json *j = json_parse(line, n, NULL);
        ok = json_bool(json_get(j, "synthetic"), false) ||
             err_set(e, ERR_IO, "'%s' is there and not of a synthetic corpus; name another folder",
                     manifest);
        json_free(j);
    }
    arena_free(&a);
    return ok;
}

bool synth_write(const char *dir, const synth_options *o, const env *v,
                 void (*told)(void *user, int64_t done), void *user, err *e)
{
    arena a = {.name = "synth"};
    char *manifest = path_join(&a, dir, synth_index(o));
    const char *items = path_join(&a, dir, o->midi ? "midi" : "wav");
    bool ok = synth_check(o, e) && is_ours(manifest, e) && file_make_dirs(items, e);
    if (ok)
        file_sweep(dir), file_sweep(items);
    if (ok && file_exists(manifest) && unlink(manifest) != 0)
        ok = err_errno(e, "cannot replace '%s'", manifest);
    for (int64_t at = 0; ok && at < o->items; at += BLOCK) {
        block b = {
            .dir = dir, .o = o, .first = at, .n = o->items - at < BLOCK ? o->items - at : BLOCK};
        if (env_stop(v))
            ok = err_set(e, ERR_STOPPED,
                         "stopped after %lld of %lld items; the same command begins again",
                         (long long)at, (long long)o->items);
        ok = ok && write_block(&b, v->pool, e);
        if (ok && told)
            told(user, at + b.n);
    }
    ok = ok && write_manifest(manifest, o, e);
    arena_free(&a);
    return ok;
}
