// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_pairs.c: items of which there is sound and MIDI, into slots (prepare_decode.h): a worker
// does what it would do for either (prepare_songs.c, then prepare_audio.c), so the rows of both are
// those of sets of their own; then come features of both. What its MIDI refuses is not decoded.
#include <math.h>
#include <string.h>

#include "data/music/affect.h"
#include "data/music/emotions.h"
#include "data/prepare/prepare_decode.h"

// ---- What a worker is sent: this, what prepare_audio is sent, and what prepare_songs is sent

typedef struct task {
    uint64_t of_audio;
    double valence, arousal, intensity; // NaN: not known
} task;

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    task t = {.valence = NAN, .arousal = NAN, .intensity = item->intensity};
    float emotion[EMOTION_SIZE];
    size_t at = out->len;
    if (item->offset > 0 || item->duration > 0)
        return err_set(e, ERR_VALUE,
                       "'%s' is a part (offset, duration), and its MIDI would be taken whole; cut "
                       "both into files of their own",
                       item->path);
    if (prepare_emotion(p, item, emotion))
        t.valence = (double)emotion[0], t.arousal = (double)emotion[1],
        t.intensity = (double)emotion[2];
    strbuf_add(out, (const char *)&t, sizeof t);
    if (!prepare_audio.pack(p, item, out, e))
        return false;
    t.of_audio = out->len - at - sizeof t;
    memcpy(out->s + at, &t, sizeof t);
    return prepare_songs.pack(p, item, out, e);
}

// ---- Its answer: that of prepare_audio and the rows of features of both, or nothing where the
// song is refused; that of prepare_songs; and how long the latter two are

typedef struct tail {
    uint64_t of_both, of_song;
} tail;

// What makes column k of sound and song together, or NULL.
static const feature *of_both(const prepare *p, int k)
{
    const feature *f = p->songs[k];
    return f && f->def->source == FEATURE_BOTH ? f : NULL;
}

static bool any_of_both(const prepare *p)
{
    for (int k = 0; k < p->info.n_columns; k++)
        if (of_both(p, k))
            return true;
    return false;
}

static bool measure_both(const prepare *p, const task *t, const char *midi, strbuf *out, err *e)
{
    arena a = {.name = "both"};
    feature_both x = {.heard = p->feature};
    float emotion[EMOTION_SIZE] = {(float)t->valence, (float)t->arousal, (float)t->intensity};
    x.frames = prepare_audio_frames(out->s, &x.n);
    x.song = prepare_song_load(p, &a, midi, e);
    bool ok = x.song != NULL;
    if (ok && isnan(t->valence)) {
        song_affect affect = affect_estimate(&a, x.song);
        emotion_vector(affect.valence, affect.arousal, t->intensity, emotion);
    }
    x.valence = (double)emotion[0], x.arousal = (double)emotion[1],
    x.intensity = (double)emotion[2];
    for (int k = 0; ok && k < p->info.n_columns; k++) {
        feature_rows rows;
        const feature *f = of_both(p, k);
        ok = !f || feature_of_both(f, &x, &a, &rows, e);
        if (ok && f)
            strbuf_add(out, rows.data, shard_row_bytes(&p->info.columns[k]));
    }
    arena_free(&a);
    return ok;
}

static bool decode(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    task t;
    const char *audio = (const char *)item + sizeof t, *midi;
    strbuf song = {0};
    tail end = {0};
    memcpy(&t, item, sizeof t);
    midi = audio + t.of_audio;
    bool ok = prepare_songs.fn(user, midi, n - sizeof t - t.of_audio, &song, e);
    if (ok && !prepare_song_refused(song.s, song.len)) {
        ok = prepare_audio.fn(user, audio, t.of_audio, out, e);
        size_t before = out->len;
        ok = ok && (!any_of_both(user) || measure_both(user, &t, midi, out, e));
        end.of_both = out->len - before;
    }
    end.of_song = song.len;
    if (ok) {
        strbuf_add(out, song.s, song.len);
        strbuf_add(out, (const char *)&end, sizeof end);
    }
    strbuf_free(&song);
    return ok;
}

// One row of each feature of both.
static bool take_both(prepare_slot *s, const char *at, size_t n)
{
    const prepare *p = s->p;
    for (int k = 0; k < p->info.n_columns; k++) {
        if (!of_both(p, k))
            continue;
        size_t bytes = shard_row_bytes(&p->info.columns[k]);
        if (n < bytes || !feature_fits(&p->songs[k]->def->rows, at, 1))
            return false;
        s->rows[k] = (feature_rows){at, 1};
        at += bytes, n -= bytes;
    }
    return n == 0;
}

static bool take(prepare_slot *s, const char *bytes, size_t n)
{
    tail end;
    if (n < sizeof end)
        return false;
    n -= sizeof end;
    memcpy(&end, bytes + n, sizeof end);
    if (end.of_song > n || end.of_both > n - end.of_song)
        return false;
    n -= end.of_song;
    return prepare_songs.take(s, bytes + n, end.of_song) &&
           take_both(s, bytes + n - end.of_both, end.of_both) &&
           prepare_audio.take(s, bytes, n - end.of_both);
}

// ---- Limits: those of both

static double seconds(const prepare *p)
{
    return WORKER_SECONDS + prepare_audio.seconds(p);
}

static uint64_t memory(const prepare *p)
{
    return WORKER_MEMORY + prepare_audio.memory(p);
}

const prepare_kind prepare_pairs = {
    .fn = decode, .pack = pack, .take = take, .seconds = seconds, .memory = memory};
