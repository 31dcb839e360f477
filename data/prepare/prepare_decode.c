// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_decode.c: from files to shards (prepare.h, stage 4).
//
// Items are handed out to worker processes and taken back in the order of the index, so the shards
// do not depend on the number of workers. What is under way is bounded by count (WORKER_WINDOW a
// worker) and by the bytes of its results (worker.c), so long recordings do not pile up.
#include "data/prepare/prepare_decode.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/music/affect.h"
#include "data/music/emotions.h"
#include "data/shards/shard_write.h"

enum { TELL_EVERY = 16 };

// The items that the workers have, oldest first.
typedef struct decoding {
    prepare *p;
    const prepare_kind *kind;
    workers *workers;
    prepare_slot *slots; // [room], a ring
    int room, n, first;  // slots; those in use; the oldest
    strbuf packed;
    uint64_t done, rejected, seen[PREPARE_SPLITS];
    shard_writer *writer[PREPARE_SPLITS];
} decoding;

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
    const char *const *at =
        bsearch(&s->item.label, p->info.labels, p->info.n_labels, sizeof *p->info.labels, by_name);
    if (at)
        *label = (int32_t)(at - p->info.labels);
    return at ||
           err_set(&s->e, ERR_VALUE,
                   "'%s': label '%s' is not among the %zu `labels` that this set is limited to",
                   s->item.path, s->item.label, p->info.n_labels);
}

const char *prepare_emotion(const prepare *p, const reader_item *item, float out[SHARD_EMOTION])
{
    if (p->emotion && item->midi)
        return NULL;
    const emotion_name *known = item->label ? emotion_find(item->label) : NULL;
    bool given = item->emotion || !isnan(item->valence);
    if (item->emotion)
        memcpy(out, item->emotion, EMOTION_SIZE * sizeof *out);
    else if (given)
        emotion_vector(item->valence, item->arousal, item->intensity, out);
    else if (known)
        emotion_vector(known->valence, known->arousal, item->intensity, out);
    return given ? "given" : known ? "name" : NULL;
}

static void set_emotion(const prepare_slot *s, shard_item *out)
{
    out->label_source = prepare_emotion(s->p, &s->item, out->emotion);
    if (out->label_source)
        return;
    if (s->estimated)
        emotion_vector(s->valence, s->arousal, s->item.intensity, out->emotion);
    out->label_source = s->estimated ? AFFECT_SOURCE : "none";
}

// The item's classes, and those of its copies; a false one spoils the item.
static bool tell_targets(prepare_slot *s)
{
    const prepare *p = s->p;
    bool ok = prepare_targets_tell(p, &s->item, &s->shape, NULL, s->classes[0], &s->e);
    for (int k = 1; ok && k <= s->n_copies; k++) {
        clip_change by = prepare_copy_change(p, &s->item, k);
        ok = prepare_targets_tell(p, &s->item, &s->copies[k - 1].shape, &by, s->classes[k], &s->e);
    }
    return ok;
}

// Behind the item, as "a.wav#1", of the same group and label.
static bool add_copies(prepare_slot *s, shard_item *out, shard_writer *w, err *e)
{
    for (int k = 0; k < s->n_copies; k++) {
        out->classes = s->classes[k + 1];
        out->path = arena_printf(&s->memory, "%s#%d", s->item.path, k + 1);
        out->mel = s->copies[k].mel, out->frames = s->copies[k].frames;
        if (!shard_add(w, out, e))
            return false;
    }
    return true;
}

static bool outlasts(const prepare_slot *s)
{
    const feature *f = s->p->feature;
    return f && s->rows &&
           s->seconds > PREPARE_OUTLASTS + (double)(s->frames * f->hop) / (double)f->rate;
}

static bool add(decoding *d, prepare_slot *s, shard_writer *w, err *e)
{
    prepare *p = d->p;
    shard_item out = {.mel = s->mel, .seconds = s->seconds, .frames = s->frames};
    for (int k = 0; s->rows && k < p->info.n_columns; k++)
        out.column[k].rows = s->rows[k].data, out.column[k].n = s->rows[k].n;
    out.path = s->item.path, out.group = s->item.group, out.attributes = s->item.attributes;
    p->report->behind_end += s->behind_end, p->report->behind_end_files += s->behind_end > 0;
    if (s->ok && (s->ok = find_label(p, s, &out.label) && tell_targets(s))) {
        set_emotion(s, &out);
        out.classes = s->classes[0];
        p->report->outlasting += outlasts(s);
        for (int k = 0; k < CLIP_MARKS; k++)
            p->report->marks[k] += s->marks >> k & 1;
        return shard_add(w, &out, e) && add_copies(s, &out, w, e);
    }
    d->rejected++;
    if (!p->first_reject.code)
        p->first_reject = s->e;
    return shard_reject(
        w,
        prepare_reject_line(&s->memory, s->item.path, s->item.line, err_name(s->e.code), s->e.text),
        e);
}

static bool write_slot(decoding *d, prepare_slot *s, err *e)
{
    prepare *p = d->p;
    shard_writer **w = &d->writer[s->split];
    if (!*w) {
        shard_info info = p->info;
        info.split = p->split[s->split].name;
        info.augment = prepare_copies(p, info.split) ? p->augment_text : NULL;
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
    arena memory = s->memory;
    arena_reset(&memory);
    *s = (prepare_slot){.memory = memory};
}

// Writes the item or its rejection into its shard, finishes the shard behind its last item, and
// empties the slot.
static bool put_away(decoding *d, prepare_slot *s, err *e)
{
    bool ok = write_slot(d, s, e);
    d->done++;
    clear(s);
    return ok;
}

// Says how far it is. False: it is to stop.
static bool tell(decoding *d, err *e)
{
    const prepare *p = d->p;
    if (p->job->told)
        p->job->told(p->job->user, "prepare", d->done, p->to_make, d->rejected);
    return !env_stop(p->env) ||
           err_set(e, ERR_STOPPED,
                   "stopped after %" PRIu64 " of %" PRIu64
                   " items; the same command continues with the shards that are missing",
                   d->done, p->to_make);
}

// ---- Through the workers

static void take(decoding *d, prepare_slot *s, const worker_result *r)
{
    const char *name = d->kind == &prepare_pairs && s->item.file
                           ? arena_printf(&s->memory, "%s' or '%s", s->item.file, s->item.midi)
                           : prepare_item_file(d->p, &s->item);
    if (!r->ok)
        err_set(&s->e, r->e.code, "%s%s%s%s", r->lost ? "'" : "", r->lost ? name : "",
                r->lost ? "': " : "", r->e.text);
    else if (!(s->ok = d->kind->take(s, r->bytes, r->n)) && !s->e.code)
        err_set(&s->e, ERR_CRASH,
                "'%s' upset the process that read it; it is likely damaged, leave it out", name);
}

// The oldest item, when its worker is done with it.
static bool finish_first(decoding *d, err *e)
{
    prepare_slot *s = &d->slots[d->first];
    worker_result r;
    if (s->sent && !workers_take(d->workers, &r, e))
        return e->code == ERR_STOPPED ? tell(d, e) : false;
    if (s->sent)
        take(d, s, &r);
    bool ok = put_away(d, s, e);
    d->first = (d->first + 1) % d->room;
    d->n--;
    return ok && (d->done % TELL_EVERY || tell(d, e));
}

static const char *keep(arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

static void fill(decoding *d, prepare_slot *s, const reader_item *item, int split)
{
    arena *a = &s->memory;
    *s = (prepare_slot){.p = d->p, .item = *item, .split = split, .memory = s->memory};
    s->classes =
        arena_alloc(&s->memory, (AUGMENT_COPIES_MOST + 1) * sizeof *s->classes, sizeof(int32_t));
    s->item.path = keep(a, item->path), s->item.file = keep(a, item->file);
    s->item.label = keep(a, item->label), s->item.group = keep(a, item->group);
    s->item.midi = keep(a, item->midi);
    if (item->emotion)
        s->item.emotion = memcpy(NEW(a, float, EMOTION_SIZE), item->emotion,
                                 EMOTION_SIZE * sizeof *item->emotion);
    s->item.attributes = keep(a, item->attributes);
    s->item.split = NULL; // not needed any more
}

static bool hand_out(decoding *d, const reader_item *item, int split, uint64_t ordinal, bool last,
                     err *e)
{
    if (d->n == d->room && !finish_first(d, e))
        return false;
    prepare_slot *s = &d->slots[(d->first + d->n++) % d->room];
    fill(d, s, item, split);
    s->ordinal = ordinal, s->last = last;
    d->packed.len = 0;
    worker_result there;
    if (d->p->answers &&
        spill_take(d->p->answers, item->number, prepare_stamp(d->p, item), &s->memory, &there)) {
        take(d, s, &there);
        return d->n > 1 || finish_first(d, e); // it waits for those before it, if any
    }
    s->sent = d->kind->pack(d->p, item, &d->packed, &s->e);
    if (s->sent && d->packed.len > WORKER_ITEM)
        s->sent = err_set(&s->e, ERR_VALUE, "'%s': the path is too long; shorten it", item->path);
    return !s->sent || workers_put(d->workers, d->packed.s, d->packed.len, e);
}

static bool flush(decoding *d, err *e)
{
    while (d->n)
        if (!finish_first(d, e))
            return false;
    return tell(d, e);
}

// ---- The index once more

static bool read_all(decoding *d, reader *r, err *e)
{
    prepare *p = d->p;
    reader_item item;
    pull step;
    bool ok = true;
    while (ok && (step = reader_next(r, &item, e)) != PULL_END) {
        if (step == PULL_BAD || item.number >= p->n_entries ||
            p->entries[item.number].split == SPLIT_DROPPED)
            continue;
        int k = p->entries[item.number].split;
        uint64_t ordinal = prepare_ordinal(p, k, d->seen[k]++);
        if (!p->shards[ordinal].make)
            continue;
        bool last = d->seen[k] == p->split[k].items || prepare_ordinal(p, k, d->seen[k]) != ordinal;
        ok = hand_out(d, &item, k, ordinal, last, e);
    }
    ok = ok && e->code == ERR_NONE && flush(d, e);
    return ok && (r->entries == p->n_entries ||
                  err_set(e, ERR_IO, "the index changed while it was read; start again"));
}

const prepare_kind *prepare_kind_of(const prepare *p)
{
    return !prepare_of_midi(p) ? &prepare_audio : p->feature ? &prepare_pairs : &prepare_songs;
}

workers *prepare_workers(prepare *p, worker_fn *fn, err *e)
{
    const prepare_kind *k = prepare_kind_of(p);
    worker_options o = {.count = p->job->jobs, .fn = fn, .user = p, .env = p->env};
    o.seconds = k->seconds ? k->seconds(p) : 0;
    o.memory = k->memory ? k->memory(p) : 0;
    return workers_open(&o, e);
}

bool prepare_decode(prepare *p, err *e)
{
    if (p->to_make == 0)
        return true;
    decoding d = {.p = p, .kind = prepare_kind_of(p)};
    d.workers = prepare_workers(p, d.kind->fn, e);
    d.room = d.workers ? (int)workers_room(d.workers) : 0;
    d.slots =
        base_checked(calloc((size_t)d.room + 1, sizeof *d.slots), (size_t)d.room * sizeof *d.slots);
    reader *r = d.workers ? reader_open(p->reader, &p->options, e) : NULL;
    if (p->job->told)
        p->job->told(p->job->user, "prepare", 0, p->to_make, 0);
    bool ok = r && read_all(&d, r, e);
    for (int i = 0; i < d.room; i++)
        arena_free(&d.slots[i].memory);
    for (int k = 0; k < PREPARE_SPLITS; k++)
        shard_abandon(d.writer[k]);
    free(d.slots);
    strbuf_free(&d.packed);
    reader_close(r);
    workers_close(d.workers);
    return ok;
}
