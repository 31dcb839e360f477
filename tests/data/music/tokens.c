// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens: note-seq's, event for event; the way back; and what is known without note-seq.
#include "data/music/tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/features/feature.h"
#include "tests/data/midi/midi_bytes.h"
#include "tests/test.h"

static feature *open_tokens(bool drums, bool to_c)
{
    err e = {0};
    arena a = {0};
    const feature_def *d = feature_find("tokens", &e);
    void *s = feature_settings(d, &a);
    EXPECT_OK(feature_set(d, s, "drums", drums ? "true" : "false", &e) &&
                  feature_set(d, s, "to_c", to_c ? "true" : "false", &e) &&
                  feature_resolve(d, s, &e),
              e);
    feature *f = feature_open(d, s, &e);
    EXPECT_OK(f != NULL, e);
    arena_free(&a);
    return f;
}

static feature_rows encode(const midi_song *s, bool drums, arena *a)
{
    err e = {0};
    feature_rows rows = {0};
    feature *f = open_tokens(drums, false);
    EXPECT_OK(feature_song(f, s, a, &rows, &e), e);
    feature_close(f);
    return rows;
}

static void expect_tokens(const feature_rows *rows, const uint16_t *want, size_t n,
                          const char *name)
{
    const uint16_t *got = rows->data;
    size_t same = 0;
    while (same < n && same < (size_t)rows->n && got[same] == want[same])
        same++;
    test_expect(same == n && (size_t)rows->n == n, __FILE__, __LINE__,
                "%s: %lld tokens, expected %zu; they part at %zu", name, (long long)rows->n, n,
                same);
}

// A quarter of C at 60 beats a minute, from the first second on: a second of silence is one shift,
// two are two, and the last is what is left.
TEST(tokens_of_one_note)
{
    arena a = {0};
    smf f = {.ticks = 100};
    SMF_TRACK(&f, 0, SMF_TEMPO(1000000), 100, 0x90, 60, 100, 100, 0x80, 60, 0, 0x81, 0x48, 0x90, 62,
              1, 50, 62, 0);
    feature_rows rows = encode(smf_song(&f, &a), false, &a);
    static const uint16_t want[] = {355, 356 + 24, 60, 355, 128 + 60, 355,
                                    355, 356,      62, 305, 128 + 62};
    expect_tokens(&rows, want, sizeof want / sizeof *want, "one note");
    arena_free(&a);
}

TEST(tokens_leave_drums_out_unless_asked)
{
    arena a = {0};
    smf f = {.ticks = 100};
    SMF_TRACK(&f, 0, 0x99, 36, 100, 0, 0x90, 60, 100, 20, 0x89, 36, 0, 20, 0x80, 60, 0);
    const midi_song *s = smf_song(&f, &a);
    static const uint16_t without[] = {380, 60, 275, 188},
                          with[] = {380, 36, 60, 265, 164, 265, 188};
    feature_rows rows = encode(s, false, &a);
    expect_tokens(&rows, without, 4, "without drums");
    rows = encode(s, true, &a);
    expect_tokens(&rows, with, 7, "with drums");
    arena_free(&a);
}

// Everything but the drums goes to C, and nothing else changes.
TEST(tokens_are_brought_to_c)
{
    arena a = {0};
    err e = {0};
    smf f = {.ticks = 100};
    SMF_TRACK(&f, 0, 0x99, 36, 100, 0, 0x90, 62, 100, 0, 66, 100, 0, 69, 100, 0, 74, 100, 20, 0x89,
              36, 0, 20, 0x80, 62, 0, 0, 66, 0, 0, 69, 0, 0, 74, 0);
    const midi_song *s = smf_song(&f, &a);
    feature *c = open_tokens(true, true);
    feature_rows rows, plain = encode(s, true, &a);
    EXPECT_OK(feature_song(c, s, &a, &rows, &e), e);
    EXPECT_INT(rows.n, plain.n);
    for (int64_t i = 0; i < rows.n; i++) {
        int had = ((const uint16_t *)plain.data)[i], has = ((const uint16_t *)rows.data)[i];
        EXPECT_INT(has, had < TOKENS_SHIFT && had % 128 != 36 ? had - 2 : had);
    }
    feature_close(c);
    arena_free(&a);
}

static uint8_t *from_base64(const char *text, size_t *n, arena *a)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *out = NEW(a, uint8_t, strlen(text));
    uint32_t bits = 0;
    int have = 0;
    for (*n = 0; *text && *text != '='; text++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
        if ((have += 6) >= 8)
            out[(*n)++] = (uint8_t)(bits >> (have -= 8));
    }
    return out;
}

static void check_golden(const json *row, const char *key, bool drums)
{
    arena a = {0};
    err e = {0};
    size_t n, count = json_len(json_get(row, key));
    const char *name = json_str(json_get(row, "name"), "?");
    const uint8_t *bytes = from_base64(json_str(json_get(row, "midi"), ""), &n, &a);
    const midi_song *s = midi_parse(&a, name, bytes, n, &e);
    EXPECT_OK(s != NULL, e);
    uint16_t *want = NEW(&a, uint16_t, count);
    for (size_t i = 0; i < count; i++)
        want[i] = (uint16_t)json_int(json_at(json_get(row, key), i), -1);
    if (s) {
        feature_rows rows = encode(s, drums, &a);
        expect_tokens(&rows, want, count, name);
    }
    arena_free(&a);
}

TEST(tokens_are_those_of_note_seq)
{
    json *g = test_golden("tokens");
    const json *files = json_get(g, "files");
    EXPECT(json_len(files) >= 40);
    for (size_t i = 0; i < json_len(files); i++) {
        check_golden(json_at(files, i), "tokens", false);
        check_golden(json_at(files, i), "with_drums", true);
    }
    json_free(g);
}

// Notes that no other of their pitch overlaps and no pedal touches come back to 5 ms and a bin of
// velocity.
TEST(tokens_come_back_as_notes)
{
    arena a = {0};
    err e = {0};
    midi_song s = {
        .n_instruments = 1, .instruments = &(midi_instrument){.notes = 400}, .n_notes = 400};
    s.notes = NEW(&a, midi_note, 400);
    for (uint32_t i = 0; i < 400; i++) {
        double start = 0.037 * i + 0.03 * (test_fill(1, i, 0.5f) + 0.5),
               length = 0.011 + 1.2 * (test_fill(2, i, 0.5f) + 0.5);
        s.notes[i] = (midi_note){.start = start,
                                 .end = start + length,
                                 .pitch = (uint8_t)(20 + i % 88),
                                 .velocity = (uint8_t)(1 + test_fill_u32(3, i) % 127)};
    }
    feature_rows rows = encode(&s, false, &a);
    tokens_note *back;
    size_t n = 0;
    EXPECT_OK(tokens_decode(rows.data, (size_t)rows.n, &a, &back, &n, &e), e);
    EXPECT_INT(n, 400);
    bool seen[400] = {false};
    for (size_t i = 0; i < n; i++) { // in order but for neighbours that fall on one step
        size_t k = i > 4 ? i - 4 : 0;
        while (k < 400 && (seen[k] || s.notes[k].pitch != back[i].pitch))
            k++;
        if (!test_expect(k < 400, __FILE__, __LINE__, "note %zu is none of the song's", i))
            break;
        seen[k] = true;
        EXPECT_NEAR(back[i].start, s.notes[k].start, 0.005 + 1e-9);
        EXPECT_NEAR(back[i].end, s.notes[k].end, 0.005 + 1e-9);
        EXPECT_INT((back[i].velocity - 1) / 4, (s.notes[k].velocity - 1) / 4);
    }
    feature_rows again;
    midi_song t = s;
    for (size_t i = 0; i < n; i++)
        t.notes[i] = (midi_note){.start = back[i].start,
                                 .end = back[i].end,
                                 .pitch = back[i].pitch,
                                 .velocity = back[i].velocity};
    again = encode(&t, false, &a);
    tokens_note *twice;
    size_t m = 0;
    EXPECT_OK(tokens_decode(again.data, (size_t)again.n, &a, &twice, &m, &e), e);
    EXPECT_INT(m, n);
    EXPECT(m == n && !memcmp(back, twice, n * sizeof *back));
    arena_free(&a);
}

TEST(tokens_decoding_forgives_what_models_write)
{
    arena a = {0};
    err e = {0};
    tokens_note *notes;
    size_t n;
    // an off without a note; a note of no length; the same pitch twice, first in first out; one
    // left open
    static const uint16_t t[] = {190, 60, 188, 366, 60, 265, 367, 60, 265, 188, 265, 188, 64, 355};
    EXPECT_OK(tokens_decode(t, sizeof t / sizeof *t, &a, &notes, &n, &e), e);
    EXPECT_INT(n, 3);
    EXPECT_NEAR(notes[0].end, 0.2, 1e-12);
    EXPECT_INT(notes[0].velocity, 41);
    EXPECT_NEAR(notes[1].start, 0.1, 1e-12);
    EXPECT_NEAR(notes[1].end, 0.3, 1e-12);
    EXPECT_INT(notes[1].velocity, 45);
    EXPECT_INT(notes[2].pitch, 64);
    EXPECT_NEAR(notes[2].end, 1.3, 1e-12);
    static const uint16_t other[] = {60, 388};
    EXPECT_ERR(tokens_decode(other, 2, &a, &notes, &n, &e), e, ERR_VALUE, "token 1 is 388");
    arena_free(&a);
}

TEST(tokens_settings_travel)
{
    arena a = {0};
    err e = {0};
    strbuf line = {0};
    const feature_def *d = feature_find("tokens", &e);
    void *s = feature_settings(d, &a), *t = feature_settings(d, &a);
    EXPECT_OK(feature_set(d, s, "drums", "true", &e) && feature_resolve(d, s, &e), e);
    setting_line(d->table, feature_settings_count(d), s, &line);
    EXPECT_STR(line.s, "dialect=note-seq-388 drums=true");
    json *j = feature_json(d, s);
    EXPECT_OK(feature_from_json(d, t, j, &e), e);
    EXPECT(!memcmp(s, t, sizeof(tokens_settings)));
    EXPECT_ERR(feature_set(d, s, "dialect", "midi-neural-processor", &e), e, ERR_CONFIG,
               "note-seq-388");
    json_free(j);
    strbuf_free(&line);
    arena_free(&a);
}
