// SPDX-License-Identifier: GPL-3.0-or-later
// loader.c: a ring of batches between one reader thread and the consumer (loader.h).
//
// The reader knows only (epoch, index) and writes into the next free slot; the consumer holds one
// slot at a time. A seek raises the
// generation: what the reader has in hand then belongs to the past and is not handed out. A reader
// that sleeps because the ring is full is woken when it is half empty: one at a time, small batches
// would cost a switch of threads each.
#include "data/loader/loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hw.h"
#include "base/room.h"
#include "data/loader/loader_rows.h"

typedef struct slot {
    batch b;
    char (*paths)[LOADER_PATH]; // [b.n_paths]
    bool failed;
    err e;
} slot;

struct loader {
    loader_rows rows;
    uint64_t per_batch, units, batches; // examples of a batch; examples and batches of an epoch
    uint64_t of, part;                  // options.of, at least 1, and part
    slot *slots;
    size_t n_slots;
    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t lock;
    pthread_cond_t room, ready; // the reader waits for room, the consumer for a batch
    // under the lock
    uint64_t epoch, index, generation; // what the reader makes next
    // slots, since the last seek; released <= taken <= produced <= released + n_slots
    uint64_t produced, taken, released;
    bool started, quit, stuck; // stuck: the reader met an error and waits for a seek
    double waited;
};

static int64_t path_count(const loader_options *o)
{
    return o->all_paths ? o->batch : BATCH_PATHS;
}

static void slot_open(slot *s, const loader_rows *r, arena *a)
{
    const example *x = &r->example;
    int64_t n = path_count(&r->options);
    const char **path = NEW(a, const char *, (size_t)n);
    s->paths = arena_alloc(a, (size_t)n * sizeof *s->paths, 1);
    s->b = (batch){.n_fields = example_fields(x->def), .paths = path, .n_paths = n};
    for (int k = 0; k < s->b.n_fields; k++) {
        batch_field *f = &s->b.field[k];
        *f = x->def->fields[k];
        f->dim[0] = r->options.batch;
        for (int i = 1; i < f->rank; i++)
            f->dim[i] = example_dim(x, f->dim[i]);
        f->data =
            arena_alloc(a, (size_t)(r->options.batch * example_elements(x, k)), sizeof(float));
    }
    for (int64_t i = 0; i < n; i++)
        path[i] = s->paths[i];
}

// Fills a slot with batch `index` of `epoch`; without the lock.
static bool fill(loader *l, slot *s, uint64_t epoch, uint64_t index, err *e)
{
    uint64_t first = index * l->per_batch, left = l->units - first,
             n = left < l->per_batch ? left : l->per_batch;
    s->b.epoch = epoch, s->b.index = index;
    s->b.items = (int64_t)n;
    if (!loader_rows_fill(&l->rows, epoch, first, n, s->b.field, &s->b.weight, s->paths,
                          s->b.n_paths, e))
        return false;
    for (int64_t row = s->b.items; row < l->rows.options.batch; row++)
        if (l->rows.options.repeat)
            example_repeat(&l->rows.example, s->b.field, row, row % s->b.items);
        else
            example_clear(&l->rows.example, s->b.field, row);
    return true;
}

// The first batch from (epoch, index) on that is of this loader's part.
static void settle(loader *l, uint64_t epoch, uint64_t index)
{
    index += (l->part + l->of - index % l->of) % l->of;
    l->epoch = index < l->batches ? epoch : epoch + 1;
    l->index = index < l->batches ? index : l->part;
}

static void *reader(void *arg)
{
    loader *l = arg;
    hw_flush_denormals();
    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        if (!l->started || l->stuck || l->part >= l->batches ||
            l->produced - l->released >= l->n_slots) {
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
        settle(l, epoch, index + 1);
        pthread_cond_signal(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool check(const dataset *d, const loader_options *o, err *e)
{
    CHECK(o->batch > 0 && o->window > 0 && o->views >= 0 && o->eval_windows >= 0);
    CHECK((o->mean == NULL) == (o->deviation == NULL));
    if (o->balanced && d->label_count[d->n_labels] == d->items)
        return err_set(e, ERR_VALUE, "balanced sampling needs labels, and no item of '%s' has one",
                       d->paths[0]);
    return true;
}

static uint64_t epoch_units(const loader_rows *r)
{
    const loader_options *o = &r->options;
    uint64_t all = r->order.units, whole = (uint64_t)(o->whole ? o->whole : o->batch);
    return o->drop_last ? all / whole * whole : all;
}

bool loader_count(const dataset *d, const loader_options *o, int64_t *items, err *e)
{
    loader_rows r = {0};
    bool ok = check(d, o, e) && loader_rows_open(&r, d, o, e);
    *items = ok ? (int64_t)epoch_units(&r) : 0;
    loader_rows_close(&r);
    return ok;
}

static bool start(loader *l, err *e)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->room, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->thread_runs = pthread_create(&l->thread, NULL, reader, l) == 0;
    return l->thread_runs ||
           (room_for_stack(e) && err_set(e, ERR_MEMORY,
                                         "the reader thread cannot be started: the system's limit "
                                         "of threads (ulimit -u) is reached"));
}

loader *loader_open(const dataset *d, const loader_options *o, err *e)
{
    if (!check(d, o, e))
        return NULL;
    loader *l = base_checked(calloc(1, sizeof *l), sizeof *l);
    bool ok = loader_rows_open(&l->rows, d, o, e);
    const loader_options *own = &l->rows.options;
    l->per_batch = (uint64_t)own->batch;
    l->of = own->of ? own->of : 1, l->part = own->part;
    l->units = ok ? epoch_units(&l->rows) : 0;
    l->batches = (l->units + l->per_batch - 1) / l->per_batch;
    if (ok && l->batches == 0)
        ok = err_set(e, ERR_VALUE,
                     "'%s' and what belongs to it have %llu items, fewer than one batch of %llu; "
                     "use a smaller batch",
                     d->paths[0], (unsigned long long)l->rows.order.units,
                     (unsigned long long)(own->whole ? (uint64_t)own->whole : l->per_batch));
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
    return l->rows.order.units;
}

void loader_seek(loader *l, uint64_t epoch, uint64_t index)
{
    CHECK(index < l->batches);
    pthread_mutex_lock(&l->lock);
    settle(l, epoch, index);
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
    if (l->produced - l->released <= l->n_slots / 2)
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
    example x = loader_rows_example(d, o);
    return (uint64_t)(loader_rows_ahead(&x, o) + 1) *
               ((uint64_t)o->batch * example_bytes(&x) + sizeof(slot) +
                (uint64_t)path_count(o) * (LOADER_PATH + sizeof(char *))) +
           loader_rows_bytes(d, o);
}
