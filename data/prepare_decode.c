// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_decode.c: from files to shards (prepare.h, stage 4).
//
// A window of items is read from the index, decoded by all threads, each item by one of them, and written in the order of the index: the
// shards do not depend on the number of threads. The window ends by count or by the size of its files, so that long recordings do not pile
// up.
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/emotions.h"
#include "data/prepare_internal.h"

enum { SLOTS_A_JOB = 8, WINDOW_BYTES = 32 << 20 };

// One item of a window, and what became of it.
typedef struct slot {
    const prepare *p;
    reader_item item; // its texts are in `memory`
    arena memory;
    int split;
    uint64_t ordinal;
    bool last;  // of its shard
    float *mel; // [room]
    int64_t frames, room, samples;
    bool ok;
    err e;
} slot;

typedef struct decoding {
    prepare *p;
    slot *slots;
    int room, n; // slots, and those in use
    atomic_int next;
    uint64_t bytes; // of the files in the window
    uint64_t done, rejected, seen[PREPARE_SPLITS];
    shard_writer *writer[PREPARE_SPLITS];
} decoding;

// ---- One item, on any thread

static bool keep_frames(void *user, const float *frames, int64_t count, err *e)
{
    slot *s = user;
    int width = s->p->feature->width;
    if (s->frames + count > s->room) {
        int64_t room = s->room ? 2 * s->room : 1024;
        while (room < s->frames + count)
            room *= 2;
        float *more = realloc(s->mel, (size_t)(room * width) * sizeof *more);
        if (!more)
            return err_set(e, ERR_MEMORY, "no memory for the %lld frames of '%s'; use fewer jobs or a lower max_seconds", (long long)room,
                           s->item.path);
        s->mel = more, s->room = room;
    }
    memcpy(s->mel + s->frames * width, frames, (size_t)(count * width) * sizeof *frames);
    s->frames += count;
    return true;
}

typedef struct sink {
    slot *s;
    feature_stream *stream;
} sink;

static bool take_samples(void *user, const float *x, int64_t n, err *e)
{
    sink *k = user;
    const prepare *p = k->s->p;
    k->s->samples += n;
    if ((double)k->s->samples > p->max_seconds * p->feature->rate)
        return err_set(e, ERR_VALUE, "'%s' is longer than max_seconds = %g; raise it, or name parts with offset and duration",
                       k->s->item.file, p->max_seconds);
    return feature_stream_push(k->stream, x, n, e);
}

static bool decode_file(slot *s, err *e)
{
    const prepare *p = s->p;
    const feature *f = p->feature;
    if (!s->item.file)
        return err_set(e, ERR_MISSING, "'%s' has no audio; remove it from the index", s->item.path);
    clip_stream *c = clip_stream_open(s->item.file, f->rate, s->item.offset, s->item.duration, e);
    sink k = {s, c ? feature_stream_open(f, keep_frames, s, e) : NULL};
    bool ok = k.stream && clip_stream_run(c, take_samples, &k, e);
    ok = ok && (feature_stream_finish(k.stream, e) || err_trail(e, "'%s'", s->item.file));
    if (ok && f->whole)
        f->def->finish(f, s->mel, s->frames * f->width, feature_stream_most(k.stream));
    feature_stream_close(k.stream);
    clip_stream_close(c);
    return ok;
}

static bool make_clip(slot *s, err *e)
{
    const prepare *p = s->p;
    clip c;
    if (!p->reader->clip(&p->options, s->item.number, &c, e))
        return false;
    feature_stream *f = c.rate == p->feature->rate ? feature_stream_open(p->feature, keep_frames, s, e) : NULL;
    bool ok = c.rate == p->feature->rate ||
              err_set(e, ERR_CONFIG, "dataset %s is made at %d Hz; set mel.sample_rate to it", p->reader->name, c.rate);
    ok = ok && f && feature_stream_push(f, c.samples, c.frames, e) && feature_stream_finish(f, e);
    if (ok && p->feature->whole)
        p->feature->def->finish(p->feature, s->mel, s->frames * p->feature->width, feature_stream_most(f));
    feature_stream_close(f);
    clip_free(&c);
    return ok;
}

static bool check_frames(const slot *s, err *e)
{
    float sum = 0;
    if (s->frames < 1)
        return err_set(e, ERR_EMPTY, "'%s' is too short for one frame; remove it", s->item.path);
    for (int64_t i = 0; i < s->frames * s->p->feature->width; i++)
        sum += s->mel[i] * 0;
    return sum == 0 || err_set(e, ERR_VALUE, "'%s' gives features that are not finite; repair it or remove it", s->item.path);
}

static void decode_part(void *arg, int index, int count)
{
    decoding *d = arg;
    (void)index;
    (void)count;
    for (int i; (i = atomic_fetch_add(&d->next, 1)) < d->n;) {
        slot *s = &d->slots[i];
        s->ok = (s->p->reader->clip ? make_clip(s, &s->e) : decode_file(s, &s->e)) && check_frames(s, &s->e);
    }
}

// ---- In the order of the index

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool find_label(const prepare *p, slot *s, int32_t *label)
{
    *label = -1;
    if (!s->item.label)
        return true;
    const char *const *at = bsearch(&s->item.label, p->info.labels, p->info.n_labels, sizeof *p->info.labels, by_name);
    if (at)
        *label = (int32_t)(at - p->info.labels);
    return at || err_set(&s->e, ERR_VALUE, "'%s': label '%s' is not among the %zu `labels` that this set is limited to", s->item.path,
                         s->item.label, p->info.n_labels);
}

static void set_emotion(const reader_item *item, shard_item *out)
{
    const emotion_name *known = item->label ? emotion_find(item->label) : NULL;
    if (item->emotion)
        memcpy(out->emotion, item->emotion, sizeof out->emotion);
    else if (!isnan(item->valence))
        emotion_vector(item->valence, item->arousal, item->intensity, out->emotion);
    else if (known)
        emotion_vector(known->valence, known->arousal, item->intensity, out->emotion);
    out->label_source = item->emotion || !isnan(item->valence) ? "given" : known ? "name" : "none";
}

static bool add(decoding *d, slot *s, shard_writer *w, err *e)
{
    prepare *p = d->p;
    shard_item out = {.mel = s->mel, .frames = s->frames, .path = s->item.path, .group = s->item.group};
    if (s->ok && (s->ok = find_label(p, s, &out.label))) {
        set_emotion(&s->item, &out);
        return shard_add(w, &out, e);
    }
    if (s->e.code == ERR_MEMORY) // not the file's fault
        return err_set(e, s->e.code, "%s", s->e.text);
    d->rejected++;
    if (!p->first_reject.code)
        p->first_reject = s->e;
    return shard_reject(w, prepare_reject_line(&s->memory, s->item.path, s->item.line, err_name(s->e.code), s->e.text), e);
}

static bool write_slot(decoding *d, slot *s, err *e)
{
    prepare *p = d->p;
    shard_writer **w = &d->writer[s->split];
    if (!*w) {
        shard_info info = p->info;
        info.split = p->split[s->split].name;
        info.key = p->shards[s->ordinal].key;
        *w = shard_create(prepare_shard_path(p, &s->memory, s->ordinal), &info, e);
    }
    bool ok = *w && add(d, s, *w, e);
    p->report->made += ok;
    if (ok && s->last) {
        shard_writer *full = *w;
        *w = NULL;
        ok = shard_finish(full, e);
        p->report->shards_made += ok;
    }
    return ok;
}

static void clear(slot *s)
{
    arena_free(&s->memory);
    free(s->mel);
    *s = (slot){0};
}

static bool run_window(decoding *d, threads *pool, err *e)
{
    prepare *p = d->p;
    atomic_store(&d->next, 0);
    threads_run(pool, threads_count(pool) < d->n ? threads_count(pool) : d->n, decode_part, d);
    bool ok = true;
    for (int i = 0; i < d->n; i++) {
        ok = ok && write_slot(d, &d->slots[i], e);
        clear(&d->slots[i]);
    }
    d->done += (uint64_t)d->n;
    d->n = 0, d->bytes = 0;
    if (ok && p->job->told)
        p->job->told(p->job->user, d->done, p->to_make, d->rejected);
    if (ok && env_stop(p->env))
        ok = err_set(e, ERR_STOPPED,
                     "stopped after %" PRIu64 " of %" PRIu64 " items; the same command continues with the shards that are missing", d->done,
                     p->to_make);
    return ok;
}

static const char *keep(arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

static void put(decoding *d, const reader_item *item, int split, uint64_t ordinal, bool last)
{
    slot *s = &d->slots[d->n++];
    arena *a = &s->memory;
    struct stat st;
    *s = (slot){.p = d->p, .item = *item, .split = split, .ordinal = ordinal, .last = last};
    s->item.path = keep(a, item->path), s->item.file = keep(a, item->file);
    s->item.label = keep(a, item->label), s->item.group = keep(a, item->group);
    s->item.midi = keep(a, item->midi);
    if (item->emotion)
        s->item.emotion = memcpy(NEW(a, float, EMOTION_SIZE), item->emotion, EMOTION_SIZE * sizeof *item->emotion);
    s->item.split = s->item.attributes = NULL; // not needed any more
    d->bytes += item->file && stat(item->file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static bool read_all(decoding *d, reader *r, threads *pool, err *e)
{
    prepare *p = d->p;
    reader_item item;
    reader_step step;
    bool ok = true;
    while (ok && (step = reader_next(r, &item, e)) != READER_END) {
        if (step == READER_BAD || item.number >= p->n_entries || p->entries[item.number].split == SPLIT_DROPPED)
            continue;
        int k = p->entries[item.number].split;
        uint64_t ordinal = prepare_ordinal(p, k, d->seen[k]++);
        if (!p->shards[ordinal].make)
            continue;
        put(d, &item, k, ordinal, d->seen[k] == p->split[k].items || prepare_ordinal(p, k, d->seen[k]) != ordinal);
        if (d->n == d->room || (d->bytes > WINDOW_BYTES && d->n >= threads_count(pool)))
            ok = run_window(d, pool, e);
    }
    ok = ok && e->code == ERR_NONE;
    ok = ok && (d->n == 0 || run_window(d, pool, e));
    return ok && (r->entries == p->n_entries || err_set(e, ERR_IO, "the index changed while it was read; start again"));
}

bool prepare_decode(prepare *p, err *e)
{
    if (p->to_make == 0)
        return true;
    threads *pool = threads_open(p->job->jobs, e);
    reader *r = pool ? reader_open(p->reader, &p->options, e) : NULL;
    decoding d = {.p = p, .room = p->job->jobs * SLOTS_A_JOB};
    if (p->job->told)
        p->job->told(p->job->user, 0, p->to_make, 0);
    d.slots = base_checked(calloc((size_t)d.room, sizeof *d.slots), (size_t)d.room * sizeof *d.slots);
    bool ok = r && read_all(&d, r, pool, e);
    for (int i = 0; i < d.n; i++)
        clear(&d.slots[i]);
    for (int k = 0; k < PREPARE_SPLITS; k++)
        shard_abandon(d.writer[k]);
    free(d.slots);
    reader_close(r);
    threads_close(pool);
    return ok;
}
