// SPDX-License-Identifier: GPL-3.0-or-later
// MIDI files that are damaged: 20,000 mutations, and the catalogue in ../shared/data/malformed.
// None costs more than itself.
#include <string.h>

#include "base/worker.h"
#include "data/features/feature.h"
#include "data/music/tokens.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

enum { MUTATIONS = 20000, SEEDS = 64 };

// ---- A worker that reads bytes: its answer is the counts of note-ons and tokens.

static void answer(const midi_song *s, arena *a, strbuf *out)
{
    err e = {0};
    feature_rows rows;
    const feature_def *d = feature_find("tokens", &e);
    feature *f = feature_open(d, feature_settings(d, a), &e);
    CHECK(f && feature_song(f, s, a, &rows, &e));
    strbuf_printf(out, "{\"notes\": %u, \"seconds\": %.6f, \"tokens\": %lld}", s->note_ons,
                  s->seconds, (long long)rows.n);
    feature_close(f);
}

static bool read_bytes(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    arena a = {0};
    (void)user;
    const midi_song *s = midi_parse(&a, "mutated.mid", item, n, e);
    if (s)
        answer(s, &a, out);
    arena_free(&a);
    return s != NULL;
}

static bool read_path(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    arena a = {0};
    (void)user, (void)n;
    const midi_song *s = midi_load(&a, item, e);
    if (s)
        answer(s, &a, out);
    arena_free(&a);
    return s != NULL;
}

// ---- Mutations

typedef struct seed {
    const uint8_t *bytes;
    size_t n;
} seed;

static size_t made_seeds(seed *out, arena *a)
{
    smf *f = NEW(a, smf, 3);
    f[0] = (smf){.format = 1, .ticks = 96};
    SMF_TRACK(&f[0], 0, SMF_TEMPO(400000), 0, 0xff, 0x58, 4, 3, 2, 24, 8, 0, 0xff, 0x59, 2, 0xfd, 1,
              0x83, 0x60, SMF_TEMPO(700000));
    SMF_TRACK(&f[0], 0, 0xc0, 12, 0, SMF_PEDAL(0, 127), 0, SMF_NOTE(60, 96), 0, 0xe0, 0, 70, 0,
              SMF_NOTE(60, 96), 0, SMF_PEDAL(0, 0));
    SMF_TRACK(&f[0], 0, 0x99, 36, 100, 24, 36, 0, 0, 38, 90, 24, 38, 0, 0, 0xf0, 3, 1, 2, 0xf7, 0,
              0xff, 1, 3, 'a', 'b', 'c');
    f[1] = (smf){.ticks = 0xe728};
    SMF_TRACK(&f[1], 0, SMF_NOTE(60, 96), 0, SMF_NOTE(64, 96), 0, 0xd0, 4, 0, SMF_NOTE(67, 96));
    f[2] = (smf){.format = 2, .ticks = 480, .open = true};
    SMF_TRACK(&f[2], 0, 0x90, 60, 64, 96, 60, 0, 0, 62, 64, 96, 62, 0, 0, 64, 64, 96, 64, 0);
    for (int i = 0; i < 3; i++)
        out[i] = (seed){f[i].bytes, f[i].n};
    return 3;
}

// Clips of EMOPIA that are small enough, where they are at hand.
static size_t find_seeds(seed *out, arena *a)
{
    err e = {0};
    size_t n = made_seeds(out, a), paths = 0, bytes;
    char **path = file_glob(a, "../shared/data/emopia/midis/*.mid", &paths, &e);
    for (size_t i = 0; path && i < paths && n < SEEDS; i += 16) {
        const char *text = file_read(a, path[i], 1 << 20, &bytes, &e);
        if (text && bytes < WORKER_ITEM)
            out[n++] = (seed){(const uint8_t *)text, bytes};
    }
    return n;
}

// One to eight changes: bits, bytes, blocks, cuts, repetitions.
static size_t mutate(const seed *from, uint32_t number, uint8_t *out)
{
    uint32_t draw = 0;
    size_t n = from->n;
#define DRAW(most) (test_fill_u32(number, draw++) % (uint32_t)(most))
    memcpy(out, from->bytes, n);
    for (uint32_t k = 1 + DRAW(8); k > 0; k--) {
        size_t at = DRAW(n), length = 1 + DRAW(n - at < 64 ? n - at : 64);
        switch (DRAW(6)) {
        case 0:
            out[at] ^= (uint8_t)(1u << DRAW(8));
            break;
        case 1:
            out[at] = (uint8_t)DRAW(256);
            break;
        case 2:
            memset(out + at, DRAW(4) ? 0xff : 0, length);
            break;
        case 3:
            n = at > 14 ? at : n;
            break;
        case 4:
            memmove(out + at, out + DRAW(n - length + 1), length);
            break;
        case 5:
            if (n + length < WORKER_ITEM) {
                memmove(out + at + length, out + at, n - at);
                n += length;
            }
            break;
        }
    }
#undef DRAW
    return n;
}

TEST(midi_hostile_mutations_are_read_or_named)
{
    arena a = {0};
    err e = {0};
    seed seeds[SEEDS];
    uint8_t bytes[2 * WORKER_ITEM];
    uint64_t put = 0, read = 0, named = 0, crashed = 0, without_remedy = 0;
    size_t n_seeds = find_seeds(seeds, &a);
    workers *w = workers_open(&(worker_options){.count = 2, .fn = read_bytes}, &e);
    bool ok = w != NULL;
    while (ok && read + named < MUTATIONS) {
        worker_result r;
        if (put < MUTATIONS && workers_room(w)) {
            size_t n = mutate(&seeds[put % n_seeds], (uint32_t)put, bytes);
            ok = workers_put(w, bytes, n, &e);
            put++;
        } else if ((ok = workers_take(w, &r, &e))) {
            *(r.ok ? &read : &named) += 1;
            crashed += r.e.code == ERR_CRASH || r.e.code == ERR_TIMEOUT || r.e.code == ERR_MEMORY;
            without_remedy += !r.ok && !strstr(r.e.text, "leave it out");
        }
    }
    EXPECT_OK(ok, e);
    workers_close(w);
    EXPECT_INT(read + named, MUTATIONS);
    EXPECT(read > MUTATIONS / 20 && named > MUTATIONS / 20);
    EXPECT_INT(without_remedy, 0);
    EXPECT_INT(crashed, 0); // what midi_frame.c lets through, libsmf survives
    arena_free(&a);
}

// ---- The catalogue

static void check_case(const json *c, const worker_result *r)
{
    err e = {0};
    const char *path = json_str(json_get(c, "path"), "?"),
               *expect = json_str(json_get(c, "expect"), "?");
    if (!strcmp(expect, "accept"))
        test_expect(r->ok, path, 0, "is refused: %s", r->e.text);
    if (!strcmp(expect, "reject"))
        test_expect(!r->ok, path, 0, "is accepted");
    if (!r->ok) {
        EXPECT_HAS(r->e.text, path);
        test_expect(r->e.code != ERR_CRASH && r->e.code != ERR_TIMEOUT && r->e.code != ERR_MEMORY,
                    path, 0, "costs a worker: %s", r->e.text);
        return;
    }
    json *j = json_parse(r->bytes, r->n, &e);
    int64_t notes = json_int(json_get(c, "notes"), -1), got = json_int(json_get(j, "notes"), -2);
    double seconds = json_num(json_get(c, "duration_s"), -1);
    test_expect(notes < 0 || notes == got, path, 0, "has %lld notes, expected %lld", (long long)got,
                (long long)notes);
    if (seconds >= 0)
        EXPECT_NEAR(json_num(json_get(j, "seconds"), -2), seconds, 1e-3);
    json_free(j);
}

TEST(midi_hostile_catalogue_ends_as_it_expects)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    int cases = 0;
    char *text = file_exists("../shared/data/malformed/cases.jsonl")
                     ? file_read(&a, "../shared/data/malformed/cases.jsonl", 1 << 24, &n, &e)
                     : NULL;
    if (!text) {
        test_skip("no ../shared/data/malformed");
        return;
    }
    workers *w = workers_open(&(worker_options){.fn = read_path}, &e);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line && w;
         line = strtok_r(NULL, "\n", &rest)) {
        worker_result r;
        json *c = json_parse(line, strlen(line), &e);
        if (!strcmp(json_str(json_get(c, "kind"), ""), "midi")) {
            const char *path =
                path_join(&a, "../shared/data/malformed", json_str(json_get(c, "path"), "?"));
            cases++;
            if (workers_put(w, path, strlen(path) + 1, &e) && workers_take(w, &r, &e))
                check_case(c, &r);
            else
                EXPECT_STR(e.text, "");
        }
        json_free(c);
    }
    EXPECT_INT(cases, 82);
    workers_close(w);
    arena_free(&a);
}
