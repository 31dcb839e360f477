// SPDX-License-Identifier: GPL-3.0-or-later
// loader.c: a ring of batches between one reader thread and the consumer (loader.h).
//
// The reader knows only (epoch, index) and writes into the next free slot; the consumer holds one slot at a time. A seek raises the
// generation: what the reader has in hand then belongs to the past and is not handed out.
#include "data/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "data/loader_rows.h"

typedef struct slot {
    batch b;
    float *mel, *weight, *emotion;
    int32_t *target, *length;
    char (*paths)[LOADER_PATH];
    const char **path;
    bool failed;
    err e;
} slot;

struct loader {
    loader_rows rows;
    uint64_t per_batch, batches; // items of a batch, batches of an epoch
    slot *slots;
    size_t n_slots;
    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t lock;
    pthread_cond_t room, ready; // the reader waits for room, the consumer for a batch
    // under the lock
    uint64_t epoch, index, generation;  // what the reader makes next
    uint64_t produced, taken, released; // slots, since the last seek; released <= taken <= produced <= released + n_slots
    bool started, quit, stuck;          // stuck: the reader met an error and waits for a seek
    double waited;
};

static void slot_open(slot *s, const loader_rows *r, arena *a)
{
    size_t rows = (size_t)r->options.batch, window = (size_t)r->options.window, bands = (size_t)r->d->n_mels;
    int64_t n = r->options.batch;
    s->mel = NEW(a, float, rows *window *bands);
    s->target = NEW(a, int32_t, rows);
    s->weight = NEW(a, float, rows);
    s->emotion = NEW(a, float, rows *LOADER_EMOTION);
    s->length = NEW(a, int32_t, rows);
    s->paths = arena_alloc(a, rows, LOADER_PATH);
    s->path = NEW(a, const char *, rows);
    for (size_t i = 0; i < rows; i++)
        s->path[i] = s->paths[i];
    s->b = (batch){.n_fields = 5,
                   .field = {{"mel", BATCH_F32, 3, {n, r->options.window, r->d->n_mels}, s->mel},
                             {"target", BATCH_I32, 1, {n}, s->target},
                             {"weight", BATCH_F32, 1, {n}, s->weight},
                             {"emotion", BATCH_F32, 2, {n, LOADER_EMOTION}, s->emotion},
                             {"length", BATCH_I32, 1, {n}, s->length}},
                   .paths = s->path};
}

static void clear_row(const loader *l, slot *s, size_t i)
{
    size_t size = (size_t)l->rows.options.window * (size_t)l->rows.d->n_mels;
    memset(s->mel + i * size, 0, size * sizeof *s->mel);
    memset(s->emotion + i * LOADER_EMOTION, 0, LOADER_EMOTION * sizeof *s->emotion);
    s->target[i] = s->length[i] = 0;
    s->weight[i] = 0;
    s->paths[i][0] = 0;
}

// Fills a slot with batch `index` of `epoch`; without the lock.
static bool fill(loader *l, slot *s, uint64_t epoch, uint64_t index, err *e)
{
    size_t rows = (size_t)l->rows.options.batch, views = (size_t)l->rows.options.views, row = 0;
    size_t size = (size_t)l->rows.options.window * (size_t)l->rows.d->n_mels;
    s->b.epoch = epoch, s->b.index = index, s->b.weight = 0;
    for (uint64_t k = 0; k < l->per_batch && index * l->per_batch + k < l->rows.order.items; k++)
        for (size_t v = 0; v < views; v++, row++) {
            loader_row_out out = {s->mel + row * size, s->emotion + row * LOADER_EMOTION, &s->target[row], &s->length[row], &s->weight[row],
                                  s->paths[row]};
            if (!loader_rows_make(&l->rows, epoch, index * l->per_batch + k, (int)v, &out, e))
                return false;
            s->b.weight += (double)s->weight[row];
        }
    s->b.items = (int64_t)row;
    for (; row < rows; row++)
        clear_row(l, s, row);
    return true;
}

static void *reader(void *arg)
{
    loader *l = arg;
    hw_flush_denormals();
    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        if (!l->started || l->stuck || l->produced - l->released >= l->n_slots) {
            pthread_cond_wait(&l->room, &l->lock);
            continue;
        }
        uint64_t epoch = l->epoch, index = l->index, generation = l->generation;
        slot *s = &l->slots[l->produced % l->n_slots];
        pthread_mutex_unlock(&l->lock);
        bool ok = fill(l, s, epoch, index, &s->e);
        pthread_mutex_lock(&l->lock);
        if (generation != l->generation)
            continue;
        s->failed = l->stuck = !ok;
        l->produced++;
        l->index = index + 1 < l->batches ? index + 1 : 0;
        l->epoch = epoch + (l->index == 0);
        pthread_cond_signal(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool check(const dataset *d, const loader_options *o, err *e)
{
    CHECK(o->batch > 0 && o->window > 0 && o->views >= 0 && o->batch % (o->views ? o->views : 1) == 0);
    CHECK((o->mean == NULL) == (o->deviation == NULL));
    if (o->balanced && d->label_count[d->n_labels] == d->items)
        return err_set(e, ERR_VALUE, "balanced sampling needs labels, and no item of '%s' has one", d->paths[0]);
    return true;
}

static bool start(loader *l, err *e)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->thread_runs = pthread_create(&l->thread, NULL, reader, l) == 0;
    return l->thread_runs || err_set(e, ERR_MEMORY, "the reader thread cannot be started: the system's limit of threads is reached");
}

loader *loader_open(const dataset *d, const loader_options *o, err *e)
{
    if (!check(d, o, e))
        return NULL;
    loader *l = base_checked(calloc(1, sizeof *l), sizeof *l);
    bool ok = loader_rows_open(&l->rows, d, o, e);
    const loader_options *own = &l->rows.options;
    l->per_batch = (uint64_t)(own->batch / own->views);
    l->batches = (l->rows.order.items + (o->drop_last ? 0 : l->per_batch - 1)) / l->per_batch;
    if (ok && l->batches == 0)
        ok = err_set(e, ERR_VALUE, "'%s' and what belongs to it have %llu items, fewer than one batch of %llu; use a smaller batch",
                     d->paths[0], (unsigned long long)l->rows.order.items, (unsigned long long)l->per_batch);
    if (ok) {
        l->n_slots = (size_t)own->ahead + 1;
        l->slots = NEW(&l->rows.memory, slot, l->n_slots);
        for (size_t i = 0; i < l->n_slots; i++)
            slot_open(&l->slots[i], &l->rows, &l->rows.memory);
        ok = start(l, e);
    }
    if (ok)
        return l;
    loader_close(l);
    return NULL;
}

void loader_close(loader *l)
{
    if (!l)
        return;
    if (l->thread_runs) {
        pthread_mutex_lock(&l->lock);
        l->quit = true;
        pthread_cond_signal(&l->room);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
        pthread_mutex_destroy(&l->lock);
        pthread_cond_destroy(&l->room);
        pthread_cond_destroy(&l->ready);
    }
    loader_rows_close(&l->rows);
    free(l);
}

uint64_t loader_batches(const loader *l)
{
    return l->batches;
}

uint64_t loader_items(const loader *l)
{
    return l->rows.order.items;
}

void loader_seek(loader *l, uint64_t epoch, uint64_t index)
{
    CHECK(index < l->batches);
    pthread_mutex_lock(&l->lock);
    l->epoch = epoch, l->index = index;
    l->produced = l->taken = l->released = 0;
    l->generation++;
    l->started = true;
    l->stuck = false;
    pthread_cond_signal(&l->room);
    pthread_mutex_unlock(&l->lock);
}

const batch *loader_next(loader *l, err *e)
{
    pthread_mutex_lock(&l->lock);
    l->started = true;
    l->released = l->taken;
    pthread_cond_signal(&l->room);
    if (l->produced == l->taken) {
        double since = hw_seconds();
        while (l->produced == l->taken)
            pthread_cond_wait(&l->ready, &l->lock);
        l->waited += hw_seconds() - since;
    }
    slot *s = &l->slots[l->taken % l->n_slots];
    bool failed = s->failed;
    l->taken += !failed; // an error stays until a seek
    pthread_mutex_unlock(&l->lock);
    if (!failed)
        return &s->b;
    err_set(e, s->e.code, "%s", s->e.text);
    return NULL;
}

double loader_waited(const loader *l)
{
    return l->waited;
}

uint64_t loader_bytes(const dataset *d, const loader_options *o)
{
    uint64_t rows = (uint64_t)o->batch, ahead = (uint64_t)(o->ahead > 0 ? o->ahead : LOADER_AHEAD);
    uint64_t row = ((uint64_t)o->window * (uint64_t)d->n_mels + LOADER_EMOTION + 3) * sizeof(float) + LOADER_PATH + sizeof(char *);
    return (ahead + 1) * rows * row + loader_rows_bytes(d, o);
}
