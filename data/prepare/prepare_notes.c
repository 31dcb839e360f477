// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_notes.c: which MIDI files have equal notes (prepare.h, stage 1).
//
// Every file must be parsed before the splits can be drawn, and parsing is most of the work. So the
// workers tell all that the shards will hold while they are at it, and it waits in p->answers
// (spill.h); where several machines share the work, each would read much for others' shards, and
// asks for the digests alone. So it is where sound belongs to the MIDI: decoding that is the work.
//
// The digests stay in OUT/.notes, so that a run that goes on, and other machines, need not parse
// what is there. The file is a head, then 16 bytes for each entry of the index that was read: its
// stamp (path, size, time), and its content. What could not be read is not in it: another time
// there may be memory for it. It is written whole, every few seconds and at the end; whatever is
// wrong with it, the files are parsed again.
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/hw.h"
#include "base/order.h"
#include "data/prepare/prepare_decode.h"

enum { TELL_EVERY = 16, SAVE_EVERY = 10, CACHE_MOST = 1 << 30 }; // items; seconds; bytes
static const char CACHE_NAME[] = ".notes";

typedef struct known {
    uint64_t stamp, content;
} known;

typedef struct cache_head {
    char magic[8];
    uint32_t version, check; // CRC-32C of the rest
    uint64_t n;
} cache_head;

// An item that a worker has.
typedef struct sent {
    uint64_t number, stamp;
} sent;

typedef struct comparing {
    prepare *p;
    workers *workers;
    sent *ring; // [room], oldest first
    size_t room, first;
    known *old; // [n_old] from the cache, sorted
    known *all; // [n_entries] of this run; stamp 0: not known
    uint64_t n_old, done, failed;
    bool learnt; // something that the cache does not have
    double saved;
} comparing;

// ---- The cache

static int by_stamp(const void *a, const void *b)
{
    const known *x = a, *y = b;
    return x->stamp != y->stamp ? (x->stamp > y->stamp) - (x->stamp < y->stamp)
                                : (x->content > y->content) - (x->content < y->content);
}

static char *cache_path(const comparing *c, arena *a)
{
    return path_join(a, c->p->job->out, CACHE_NAME);
}

static void load_cache(comparing *c)
{
    arena a = {.name = "notes"};
    cache_head head;
    size_t n = 0;
    const char *bytes = file_read(&a, cache_path(c, &a), CACHE_MOST, &n, NULL);
    if (bytes && n >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
        size_t rest = n - sizeof head;
        if (!memcmp(head.magic, "kmidinot", 8) && head.version == PREPARE_VERSION &&
            rest % sizeof(known) == 0 && head.n == rest / sizeof(known) &&
            head.check == crc32c(bytes + sizeof head, rest)) {
            c->old = base_checked(malloc(rest + 1), rest);
            memcpy(c->old, bytes + sizeof head, rest);
            qsort(c->old, head.n, sizeof *c->old, by_stamp);
            c->n_old = head.n;
        }
    }
    arena_free(&a);
}

// What the old one knows is kept until the run has gone through the whole index. It is a help: that
// it cannot be written is no error.
static void save_cache(comparing *c, bool whole)
{
    arena a = {.name = "notes"};
    strbuf out = {0};
    cache_head head = {.magic = {'k', 'm', 'i', 'd', 'i', 'n', 'o', 't'},
                       .version = PREPARE_VERSION};
    strbuf_add(&out, (const char *)&head, sizeof head);
    for (uint64_t i = 0; i < c->p->n_entries; i++)
        if (c->all[i].stamp)
            strbuf_add(&out, (const char *)&c->all[i], sizeof *c->all);
    if (!whole)
        strbuf_add(&out, (const char *)c->old, c->n_old * sizeof *c->old);
    head.n = (out.len - sizeof head) / sizeof(known);
    head.check = crc32c(out.s + sizeof head, out.len - sizeof head);
    memcpy(out.s, &head, sizeof head);
    if (!file_write(cache_path(c, &a), out.s, out.len, NULL))
        log_say(c->p->env->log, LOG_DEBUG, "the digests of the notes could not be kept");
    c->saved = hw_seconds();
    strbuf_free(&out);
    arena_free(&a);
}

static bool stamped_below(const void *list, size_t i, const void *stamp)
{
    return ((const known *)list)[i].stamp < *(const uint64_t *)stamp;
}

static const known *find(const comparing *c, uint64_t stamp)
{
    size_t i = order_first(c->old, c->n_old, stamped_below, &stamp);
    return i < c->n_old && c->old[i].stamp == stamp && c->old[i].content ? &c->old[i] : NULL;
}

// ---- Files

// What cannot be compared is equal to nothing.
static void note(comparing *c, const sent *s, uint64_t content)
{
    c->p->entries[s->number].content =
        content ? content : prepare_hash(4, &s->number, sizeof s->number);
    if (content)
        c->all[s->number] = (known){s->stamp, content};
    c->failed += !content;
}

static bool go_on(comparing *c, err *e)
{
    const prepare *p = c->p;
    if (c->done++ % TELL_EVERY == 0 && p->job->told)
        p->job->told(p->job->user, "read notes", c->done, p->n_entries, c->failed);
    if (c->learnt && hw_seconds() - c->saved > SAVE_EVERY)
        save_cache(c, false);
    return !env_stop(p->env) ||
           err_set(e, ERR_STOPPED,
                   "stopped while the notes were compared; the same command continues");
}

static bool take(comparing *c, err *e)
{
    worker_result r;
    const sent *s = &c->ring[c->first % c->room];
    if (!workers_take(c->workers, &r, e))
        return e->code == ERR_STOPPED ? go_on(c, e) : false;
    const char *notes = prepare_song_notes(&r);
    c->first++;
    c->learnt |= notes != NULL;
    note(c, s, notes ? prepare_hash(5, notes, PREPARE_NOTES) | 1 : 0);
    spill_put(c->p->answers, s->number, s->stamp, &r);
    return go_on(c, e);
}

static bool hand_out(comparing *c, const reader_item *item, strbuf *packed, err *e)
{
    prepare *p = c->p;
    const sent s = {item->number, prepare_stamp(p, item)};
    const known *k = find(c, s.stamp);
    packed->len = 0;
    if (k || !prepare_songs.pack(p, item, packed, NULL) || packed->len > WORKER_ITEM) {
        note(c, &s, k ? k->content : 0);
        return go_on(c, e);
    }
    if (workers_room(c->workers) == 0 && !take(c, e))
        return false;
    c->ring[(c->first + workers_under_way(c->workers)) % c->room] = s;
    return workers_put(c->workers, packed->s, packed->len, e);
}

static bool compare_all(comparing *c, reader *r, err *e)
{
    reader_item item;
    pull step;
    strbuf packed = {0};
    bool ok = true;
    while (ok && (step = reader_next(r, &item, e)) != PULL_END)
        if (step == PULL_ONE && item.number < c->p->n_entries)
            ok = hand_out(c, &item, &packed, e);
    while (ok && workers_under_way(c->workers))
        ok = take(c, e);
    strbuf_free(&packed);
    return ok;
}

bool prepare_notes_compare(prepare *p, err *e)
{
    comparing c = {.p = p, .saved = hw_seconds()};
    if (!file_make_dirs(p->job->out, e))
        return false;
    load_cache(&c);
    if (p->job->parts == 1 && !p->feature)
        p->answers = spill_open(p->job->out);
    c.workers = prepare_workers(p, p->answers ? prepare_songs.fn : prepare_song_digest, e);
    reader *r = c.workers ? reader_open(p->reader, &p->options, e) : NULL;
    c.room = c.workers ? workers_room(c.workers) : 1;
    c.ring = base_checked(calloc(c.room, sizeof *c.ring), c.room * sizeof *c.ring);
    c.all = base_checked(calloc(p->n_entries + 1, sizeof *c.all), p->n_entries * sizeof *c.all);
    bool ok = r && compare_all(&c, r, e);
    if (c.workers && (c.learnt || ok))
        save_cache(&c, ok);
    free(c.all);
    free(c.old);
    free(c.ring);
    reader_close(r);
    workers_close(c.workers);
    return ok;
}
