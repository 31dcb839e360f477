// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_songs.c: MIDI files into slots, by worker processes (worker.h): whatever a file does to the library that reads it, it costs that
// file. Items are handed out and taken back in the order of the index, so the shards do not depend on the number of workers.
//
// Every file is read twice: for the digest of its notes, by which the splits are drawn, and for what the shards hold. Nothing is kept
// between the two but 8 bytes an item.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/affect.h"
#include "data/prepare_decode.h"

bool prepare_of_midi(const prepare *p)
{
    return p->info.n_columns > 0;
}

// ---- In a worker

// A worker's answer: this, then the rows of each column, padded so that floats are where floats may be.
typedef struct answer {
    double seconds, valence, arousal;
    int64_t rows[SHARD_COLUMNS];
} answer;

static size_t padded(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

// A song may have no rows of a feature: drums alone have no tokens and no melody. Without rows of anything it is of no use.
static bool check_rows(const prepare *p, const feature_rows *rows, const char *path, err *e)
{
    int64_t all = 0;
    for (int k = 0; k < p->info.n_columns; k++) {
        const feature_def *d = p->songs[k]->def;
        if (rows[k].n < d->rows.least)
            return err_set(e, ERR_EMPTY, "'%s' has no notes but those of drums, and no %s; set tokens.drums: true or leave it out", path,
                           d->name);
        all += rows[k].n;
    }
    return all > 0 || err_set(e, ERR_EMPTY, "'%s' has too few notes, or none but those of drums, for the features; leave it out", path);
}

static bool measure(const prepare *p, const midi_song *s, const char *path, arena *a, strbuf *out, err *e)
{
    song_affect affect = affect_estimate(a, s);
    answer x = {.seconds = s->seconds, .valence = affect.valence, .arousal = affect.arousal};
    feature_rows rows[SHARD_COLUMNS] = {{0}};
    if (s->n_notes == 0)
        return err_set(e, ERR_EMPTY, "'%s' has no notes; leave it out", path);
    if (s->seconds > p->max_seconds)
        return err_set(e, ERR_VALUE, "'%s' lasts %.0f seconds, longer than max_seconds = %g; raise it or leave the file out", path,
                       s->seconds, p->max_seconds);
    for (int k = 0; k < p->info.n_columns; k++) {
        if (!feature_song(p->songs[k], s, a, &rows[k], e))
            return false;
        x.rows[k] = rows[k].n;
    }
    if (!check_rows(p, rows, path, e))
        return false;
    strbuf_add(out, (const char *)&x, sizeof x);
    for (int k = 0; k < p->info.n_columns; k++) {
        size_t n = (size_t)rows[k].n * shard_row_bytes(&p->info.columns[k]);
        strbuf_add(out, rows[k].data, n);
        strbuf_add(out, "\0\0\0", padded(n) - n);
    }
    return true;
}

// Read from its file, or made by the reader.
static midi_song *load_song(const prepare *p, arena *a, const char *midi, err *e)
{
    strbuf file = {0};
    if (!p->reader->song)
        return midi_load(a, midi, e);
    midi_song *s = p->reader->song(&p->options, midi, &file, e) ? midi_parse(a, midi, file.s, file.len, e) : NULL;
    strbuf_free(&file);
    return s;
}

static bool measure_file(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    arena a = {.name = "song"};
    (void)n;
    const midi_song *s = load_song(user, &a, item, e);
    bool ok = s && measure(user, s, item, &a, out, e);
    arena_free(&a);
    return ok;
}

static bool digest_file(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    arena a = {.name = "song"};
    char hex[65];
    (void)n;
    const midi_song *s = load_song(user, &a, item, e);
    bool ok = s && (s->n_notes > 0 || err_set(e, ERR_EMPTY, "no notes"));
    if (ok) {
        midi_notes_digest(s, hex);
        strbuf_add(out, hex, sizeof hex);
    }
    arena_free(&a);
    return ok;
}

// ---- Equal notes

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    (void)p;
    if (!item->midi)
        return err_set(e, ERR_MISSING, "'%s' has no MIDI; remove it from the index", item->path);
    strbuf_add(out, item->midi, strlen(item->midi) + 1);
    return true;
}

// What the workers have of the index, oldest first.
typedef struct comparing {
    prepare *p;
    workers *workers;
    uint64_t *numbers; // [room], a ring
    size_t room, first;
} comparing;

static bool stopped(err *e)
{
    return err_set(e, ERR_STOPPED, "stopped while the notes were compared; the same command continues");
}

static bool take_digest(comparing *c, err *e)
{
    worker_result r;
    if (!workers_take(c->workers, &r, e))
        return e->code == ERR_STOPPED ? stopped(e) : false;
    uint64_t number = c->numbers[c->first++ % c->room];
    bool found = r.ok && r.n == 65;
    c->p->entries[number].content = found ? prepare_hash(5, r.bytes, 64) : prepare_hash(4, &number, sizeof number);
    return true;
}

static bool compare_all(comparing *c, reader *r, err *e)
{
    prepare *p = c->p;
    reader_item item;
    reader_step step;
    strbuf packed = {0};
    bool ok = true;
    while (ok && (step = reader_next(r, &item, e)) != READER_END) {
        if (step == READER_BAD)
            continue;
        if (item.number >= p->n_entries)
            break;
        p->entries[item.number].content = prepare_hash(4, &item.number, sizeof item.number);
        packed.len = 0;
        if (!pack(p, &item, &packed, NULL) || packed.len > WORKER_ITEM)
            continue;
        if (workers_room(c->workers) == 0)
            ok = take_digest(c, e);
        c->numbers[(c->first + workers_under_way(c->workers)) % c->room] = item.number;
        ok = ok && workers_put(c->workers, packed.s, packed.len, e);
        if (ok && env_stop(p->env))
            ok = stopped(e);
    }
    while (ok && workers_under_way(c->workers))
        ok = take_digest(c, e);
    strbuf_free(&packed);
    return ok;
}

bool prepare_songs_compare(prepare *p, err *e)
{
    comparing c = {.p = p, .workers = prepare_workers(p, digest_file, e)};
    reader *r = c.workers ? reader_open(p->reader, &p->options, e) : NULL;
    c.room = c.workers ? workers_room(c.workers) : 0;
    c.numbers = base_checked(calloc(c.room + 1, sizeof *c.numbers), c.room * sizeof *c.numbers);
    bool ok = r && compare_all(&c, r, e);
    free(c.numbers);
    reader_close(r);
    workers_close(c.workers);
    return ok;
}

// ---- Into slots

// The next column of an answer, held against what its feature makes.
static bool take_rows(prepare_slot *s, int k, int64_t count, const char **at, const char *end)
{
    size_t row = shard_row_bytes(&s->p->info.columns[k]);
    const feature_shape *shape = &s->p->songs[k]->def->rows;
    if (count < shape->least || (shape->single && count != 1) || (uint64_t)count > (size_t)(end - *at) / row)
        return false;
    size_t bytes = padded((size_t)count * row);
    if (bytes > (size_t)(end - *at))
        return false;
    s->rows[k] = (feature_rows){*at, count};
    *at += bytes;
    return feature_fits(shape, s->rows[k].data, count);
}

// What a worker sends is checked as if it came from outside.
static bool take_answer(prepare_slot *s, const char *bytes, size_t n)
{
    answer x;
    if (n < sizeof x)
        return false;
    memcpy(&x, bytes, sizeof x);
    const char *at = bytes + sizeof x, *end = bytes + n;
    s->rows = NEW(&s->memory, feature_rows, SHARD_COLUMNS);
    for (int k = 0; k < s->p->info.n_columns; k++)
        if (!take_rows(s, k, x.rows[k], &at, end))
            return false;
    s->seconds = x.seconds;
    s->valence = x.valence, s->arousal = x.arousal, s->estimated = true;
    return at == end && x.seconds >= 0 && isfinite(x.seconds) && fabs(x.valence) <= 1 && fabs(x.arousal) <= 1;
}

const prepare_kind prepare_songs = {.fn = measure_file, .pack = pack, .take = take_answer};
