// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_decode.c: from files to shards (prepare.h, stage 4).
//
// A window of items is read from the index, decoded by all threads, each item by one of them, and written in the order of the index: the
// shards do not depend on the number of threads. The window ends by count or by the size of its files, so that long recordings do not pile
// up. MIDI is read in worker processes instead (prepare_songs.c).
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/affect.h"
#include "data/emotions.h"
#include "data/prepare_decode.h"

enum { SLOTS_A_JOB = 8, WINDOW_BYTES = 32 << 20 };

// ---- One item, on any thread

static bool keep_frames(void *user, const float *frames, int64_t count, err *e)
{
    prepare_slot *s = user;
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
    prepare_slot *s;
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

static bool decode_file(prepare_slot *s, err *e)
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

static bool make_clip(prepare_slot *s, err *e)
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

static bool check_frames(const prepare_slot *s, err *e)
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
        prepare_slot *s = &d->slots[i];
        s->ok = (s->p->reader->clip ? make_clip(s, &s->e) : decode_file(s, &s->e)) && check_frames(s, &s->e);
    }
}

// ---- In the order of the index

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool find_label(const prepare *p, prepare_slot *s, int32_t *label)
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

static void set_emotion(const prepare_slot *s, shard_item *out)
{
    const reader_item *item = &s->item;
    const emotion_name *known = item->label ? emotion_find(item->label) : NULL;
    if (item->emotion)
        memcpy(out->emotion, item->emotion, sizeof out->emotion);
    else if (!isnan(item->valence))
        emotion_vector(item->valence, item->arousal, item->intensity, out->emotion);
    else if (known)
        emotion_vector(known->valence, known->arousal, item->intensity, out->emotion);
    else if (s->estimated)
        emotion_vector(s->valence, s->arousal, item->intensity, out->emotion);
    out->label_source = item->emotion || !isnan(item->valence) ? "given" : known ? "name" : s->estimated ? AFFECT_SOURCE : "none";
}

static bool add(decoding *d, prepare_slot *s, shard_writer *w, err *e)
{
    prepare *p = d->p;
    shard_item out = {.mel = s->mel, .tokens = s->tokens, .stats = s->stats, .seconds = s->seconds, .frames = s->frames};
    out.path = s->item.path, out.group = s->item.group;
    if (s->ok && (s->ok = find_label(p, s, &out.label))) {
        set_emotion(s, &out);
        return shard_add(w, &out, e);
    }
    if (s->e.code == ERR_MEMORY && !prepare_of_midi(p)) // not the file's fault
        return err_set(e, s->e.code, "%s", s->e.text);
    d->rejected++;
    if (!p->first_reject.code)
        p->first_reject = s->e;
    return shard_reject(w, prepare_reject_line(&s->memory, s->item.path, s->item.line, err_name(s->e.code), s->e.text), e);
}

static bool write_slot(decoding *d, prepare_slot *s, err *e)
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

static void clear(prepare_slot *s)
{
    arena_free(&s->memory);
    free(s->mel);
    *s = (prepare_slot){0};
}

bool prepare_slot_write(decoding *d, prepare_slot *s, err *e)
{
    bool ok = write_slot(d, s, e);
    d->done++;
    clear(s);
    return ok;
}

bool prepare_tell(decoding *d, err *e)
{
    const prepare *p = d->p;
    if (p->job->told)
        p->job->told(p->job->user, d->done, p->to_make, d->rejected);
    return !env_stop(p->env) ||
           err_set(e, ERR_STOPPED,
                   "stopped after %" PRIu64 " of %" PRIu64 " items; the same command continues with the shards that are missing", d->done,
                   p->to_make);
}

// ---- Audio: windows of items

static bool run_window(decoding *d, err *e)
{
    int count = threads_count(d->pool), n = d->n;
    bool ok = true;
    if (n == 0)
        return true;
    atomic_store(&d->next, 0);
    threads_run(d->pool, count < n ? count : n, decode_part, d);
    for (int i = 0; i < n; i++)
        if (ok)
            ok = prepare_slot_write(d, &d->slots[i], e);
        else
            clear(&d->slots[i]);
    d->n = 0, d->bytes = 0;
    return ok && prepare_tell(d, e);
}

static bool put(decoding *d, const reader_item *item, int split, uint64_t ordinal, bool last, err *e)
{
    struct stat st;
    prepare_slot_fill(d, &d->slots[d->n++], item, split, ordinal, last);
    d->bytes += item->file && stat(item->file, &st) == 0 ? (uint64_t)st.st_size : 0;
    return (d->n < d->room && (d->bytes <= WINDOW_BYTES || d->n < threads_count(d->pool))) || run_window(d, e);
}

static bool open_windows(decoding *d, err *e)
{
    d->room = d->p->job->jobs * SLOTS_A_JOB;
    d->slots = base_checked(calloc((size_t)d->room, sizeof *d->slots), (size_t)d->room * sizeof *d->slots);
    d->accept = put, d->flush = run_window;
    d->pool = threads_open(d->p->job->jobs, e);
    return d->pool != NULL;
}

// ---- The index once more

static const char *keep(arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

void prepare_slot_fill(decoding *d, prepare_slot *s, const reader_item *item, int split, uint64_t ordinal, bool last)
{
    arena *a = &s->memory;
    *s = (prepare_slot){.p = d->p, .item = *item, .split = split, .ordinal = ordinal, .last = last};
    s->item.path = keep(a, item->path), s->item.file = keep(a, item->file);
    s->item.label = keep(a, item->label), s->item.group = keep(a, item->group);
    s->item.midi = keep(a, item->midi);
    if (item->emotion)
        s->item.emotion = memcpy(NEW(a, float, EMOTION_SIZE), item->emotion, EMOTION_SIZE * sizeof *item->emotion);
    s->item.split = s->item.attributes = NULL; // not needed any more
}

static bool read_all(decoding *d, reader *r, err *e)
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
        bool last = d->seen[k] == p->split[k].items || prepare_ordinal(p, k, d->seen[k]) != ordinal;
        ok = d->accept(d, &item, k, ordinal, last, e);
    }
    ok = ok && e->code == ERR_NONE && d->flush(d, e);
    return ok && (r->entries == p->n_entries || err_set(e, ERR_IO, "the index changed while it was read; start again"));
}

bool prepare_decode(prepare *p, err *e)
{
    if (p->to_make == 0)
        return true;
    decoding d = {.p = p};
    bool ok = prepare_of_midi(p) ? prepare_songs_open(&d, e) : open_windows(&d, e);
    reader *r = ok ? reader_open(p->reader, &p->options, e) : NULL;
    if (p->job->told)
        p->job->told(p->job->user, 0, p->to_make, 0);
    ok = r && read_all(&d, r, e);
    for (int i = 0; i < d.room; i++)
        clear(&d.slots[i]);
    for (int k = 0; k < PREPARE_SPLITS; k++)
        shard_abandon(d.writer[k]);
    free(d.slots);
    reader_close(r);
    prepare_songs_close(&d);
    threads_close(d.pool);
    return ok;
}
