// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_songs.c: MIDI files into slots (prepare_decode.h): a worker parses the file, and its
// reply is the digest of its notes, by which the splits are drawn (prepare_notes.c), and what the
// shards hold, or why they hold nothing.
#include <math.h>
#include <string.h>

#include "data/music/affect.h"
#include "data/prepare/prepare_decode.h"

bool prepare_of_midi(const prepare *p)
{
    return shard_has_songs(&p->info);
}

// ---- In a worker

// A worker's reply: this, then with ERR_NONE an answer, else the error's sentence.
typedef struct reply {
    char notes[PREPARE_NOTES];
    int32_t code, zero;
} reply;

// This, then the rows of each column, padded so that floats are where floats may be.
typedef struct answer {
    double seconds, valence, arousal;
    int64_t rows[SHARD_COLUMNS];
    uint32_t behind_end, zero; // notes that the file has behind the end of a track
} answer;

static size_t padded(size_t bytes)
{
    return (bytes + 3) / 4 * 4;
}

// What makes column k of the song alone; NULL: it takes sound (too).
static const feature *of_song(const prepare *p, int k)
{
    const feature *f = p->songs[k];
    return f && f->def->source == FEATURE_SONG ? f : NULL;
}

// A song may have no rows of a feature: drums alone have no tokens and no melody. Without rows of
// anything it is of no use.
static bool check_rows(const prepare *p, const feature_rows *rows, const char *path, err *e)
{
    int64_t all = 0;
    for (int k = 0; k < p->info.n_columns; k++) {
        const feature_def *d = of_song(p, k) ? p->songs[k]->def : NULL;
        if (d && rows[k].n < d->rows.least)
            return err_set(e, ERR_EMPTY,
                           "'%s' has no notes but those of drums, and no %s; set tokens.drums: "
                           "true or leave it out",
                           path, d->name);
        all += rows[k].n + (p->songs[k] && !d);
    }
    return all > 0 ||
           err_set(
               e, ERR_EMPTY,
               "'%s' has too few notes, or none but those of drums, for the features; leave it out",
               path);
}

static bool measure(const prepare *p, const midi_song *s, const char *path, arena *a, strbuf *out,
                    err *e)
{
    song_affect affect = affect_estimate(a, s);
    answer x = {.seconds = s->seconds,
                .valence = affect.valence,
                .arousal = affect.arousal,
                .behind_end = s->behind_end};
    feature_rows rows[SHARD_COLUMNS] = {{0}};
    if (s->seconds > p->max_seconds)
        return err_set(
            e, ERR_VALUE,
            "'%s' lasts %.0f seconds, longer than max_seconds = %g; raise it or leave the file out",
            path, s->seconds, p->max_seconds);
    for (int k = 0; k < p->info.n_columns; k++) {
        if (of_song(p, k) && !feature_song(p->songs[k], s, a, &rows[k], e))
            return false;
        x.rows[k] = rows[k].n;
    }
    if (!check_rows(p, rows, path, e))
        return false;
    strbuf_add(out, (const char *)&x, sizeof x);
    for (int k = 0; k < p->info.n_columns; k++) {
        size_t n = of_song(p, k) ? (size_t)rows[k].n * shard_row_bytes(&p->info.columns[k]) : 0;
        if (n)
            strbuf_add(out, rows[k].data, n);
        strbuf_add(out, "\0\0\0", padded(n) - n);
    }
    return true;
}

midi_song *prepare_song_load(const prepare *p, arena *a, const char *midi, err *e)
{
    strbuf file = {0};
    if (!p->reader->song)
        return midi_load(a, midi, e);
    midi_song *s = p->reader->song(&p->options, midi, &file, e)
                       ? midi_parse(a, midi, file.s, file.len, e)
                       : NULL;
    strbuf_free(&file);
    return s;
}

// A file without notes has no digest: that is an error, and so is one that cannot be read.
static bool reply_to(const prepare *p, const char *midi, bool whole, strbuf *out, err *e)
{
    arena a = {.name = "song"};
    char hex[PREPARE_NOTES + 1];
    reply head = {.code = ERR_NONE};
    err why = {0};
    const midi_song *s = prepare_song_load(p, &a, midi, e);
    bool ok =
        s && (s->n_notes > 0 || err_set(e, ERR_EMPTY, "'%s' has no notes; leave it out", midi));
    if (ok) {
        midi_notes_digest(s, hex);
        memcpy(head.notes, hex, sizeof head.notes);
        strbuf_add(out, (const char *)&head, sizeof head);
    }
    if (ok && whole && !measure(p, s, midi, &a, out, &why)) {
        head.code = (int32_t)why.code;
        out->len = 0;
        strbuf_add(out, (const char *)&head, sizeof head);
        strbuf_add(out, why.text, strlen(why.text));
    }
    arena_free(&a);
    return ok;
}

static bool measure_file(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    (void)n;
    return reply_to(user, item, true, out, e);
}

static bool digest_file(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    (void)n;
    return reply_to(user, item, false, out, e);
}

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    (void)p;
    if (!item->midi)
        return err_set(e, ERR_MISSING, "'%s' has no MIDI; remove it from the index", item->path);
    strbuf_add(out, item->midi, strlen(item->midi) + 1);
    return true;
}

// ---- Into slots

// The next column of an answer, held against what its feature makes.
static bool take_rows(prepare_slot *s, int k, int64_t count, const char **at, const char *end)
{
    size_t row = shard_row_bytes(&s->p->info.columns[k]);
    const feature_shape *shape = &s->p->songs[k]->def->rows;
    if (count < shape->least || (shape->single && count != 1) ||
        (uint64_t)count > (size_t)(end - *at) / row)
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
    reply head;
    answer x;
    if (n < sizeof head)
        return false;
    memcpy(&head, bytes, sizeof head);
    const char *at = bytes + sizeof head + sizeof x, *end = bytes + n;
    if (head.code != ERR_NONE)
        return err_set(&s->e, (err_code)head.code, "%.*s", (int)(n - sizeof head),
                       bytes + sizeof head);
    if (n < sizeof head + sizeof x)
        return false;
    memcpy(&x, bytes + sizeof head, sizeof x);
    s->rows = NEW(&s->memory, feature_rows, SHARD_COLUMNS);
    for (int k = 0; k < s->p->info.n_columns; k++)
        if (of_song(s->p, k) && !take_rows(s, k, x.rows[k], &at, end))
            return false;
    s->seconds = x.seconds, s->behind_end = x.behind_end;
    s->valence = x.valence, s->arousal = x.arousal, s->estimated = true;
    return at == end && x.seconds >= 0 && isfinite(x.seconds) && fabs(x.valence) <= 1 &&
           fabs(x.arousal) <= 1;
}

bool prepare_song_refused(const char *bytes, size_t n)
{
    reply head;
    CHECK(n >= sizeof head);
    memcpy(&head, bytes, sizeof head);
    return head.code != ERR_NONE;
}

const char *prepare_song_notes(const worker_result *r)
{
    return r->ok && r->n >= sizeof(reply) ? r->bytes : NULL;
}

worker_fn *const prepare_song_digest = digest_file;
const prepare_kind prepare_songs = {.fn = measure_file, .pack = pack, .take = take_answer};
