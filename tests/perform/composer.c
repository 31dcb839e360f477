// SPDX-License-Identifier: GPL-3.0-or-later
// composer.c: music is made so many bars ahead and no further, in order, every note ends; a wish is
// taken at the next bar line; what comes too late moves all that follows; the same seed makes the
// same.
#include "perform/composer.h"

#include <math.h>
#include <string.h>

#include "tests/cmd/fresh.h"
#include "tests/perform/score.h"
#include "tests/test.h"

enum { CHANNELS = 16, PITCHES = 128 };

typedef struct heard {
    score score;
    arena arena;
    composer *c;
    env env;
    int events, sounding, notes, bars;
    uint8_t open[CHANNELS][PITCHES];
    double last, first_valence, valence, bar_at[256];
    uint64_t digest;
} heard;

static void open_genre(heard *h, const char *genre, const char *emotion, uint64_t seed)
{
    err e = {0};
    composer_setup o = {.env = &h->env,
                        .ahead = 2,
                        .genre = genre,
                        .sampling = {.temperature = 1, .top_p = 1, .penalty = 1, .seed = seed}};
    EXPECT_OK(composer_wish(emotion, &o.begin, &e), e);
    score_open(&h->score, &h->arena);
    h->c = composer_open(&o, &h->score, &h->arena, &e);
    EXPECT_OK(h->c != NULL, e);
}

static void open_rules(heard *h, const char *emotion, uint64_t seed)
{
    open_genre(h, NULL, emotion, seed);
}

static void take_event(heard *h, const score_event *x)
{
    int kind = x->bytes[0] & 0xf0;
    uint8_t *open = &h->open[x->bytes[0] & 15][x->bytes[1] & 127];
    EXPECT(x->at >= h->last - 1e-9);
    h->last = x->at, h->events++;
    for (int i = 0; i < 3; i++)
        h->digest = h->digest * 1099511628211u + x->bytes[i];
    h->digest += (uint64_t)(1e6 * x->at + 0.5);
    if (kind == MIDI_NOTE_ON)
        ++*open, h->sounding++, h->notes++;
    else if (kind == MIDI_NOTE_OFF) {
        EXPECT(*open > 0);
        --*open, h->sounding--;
    }
}

// All that is due before `until`, as the loop of frames takes it.
static void take(heard *h, double until)
{
    for (const score_event *x; (x = ring_read(&h->score.events)) && x->at < until;
         ring_done(&h->score.events))
        take_event(h, x);
    for (const score_bar *b; (b = ring_read(&h->score.bars)) && b->at < until;
         ring_done(&h->score.bars)) {
        h->first_valence = h->bars ? h->first_valence : b->valence;
        h->valence = b->valence;
        h->bar_at[h->bars++ % 256] = b->at;
    }
    while (ring_read(&h->score.kept_events))
        ring_done(&h->score.kept_events);
    while (ring_read(&h->score.kept_bars))
        ring_done(&h->score.kept_bars);
}

static void compose_until(heard *h, double from, double until)
{
    err e = {0};
    for (double now = from; now < until; now += 0.1) {
        composer_did did;
        do
            did = composer_step(h->c, now, &e);
        while (did == COMPOSER_WORKED);
        EXPECT_OK(did == COMPOSER_IDLE, e);
        take(h, now);
    }
}

static void close_all(heard *h)
{
    composer_close(h->c);
    arena_free(&h->arena);
    *h = (heard){0};
}

TEST(composer_of_rules_is_two_bars_ahead)
{
    static heard h;
    open_rules(&h, "joy", 0);
    compose_until(&h, 0, 20);
    EXPECT(h.notes > 60);
    EXPECT(h.c->made >= 19.9 + 2 * h.c->bar_seconds && h.c->made < 20 + 4 * h.c->bar_seconds);
    EXPECT_NEAR(h.bar_at[1] - h.bar_at[0], h.c->bar_seconds, 1e-9);
    EXPECT_INT(composer_told(h.c).starved, 0);
    close_all(&h);
}

// The ring is shorter than two bars of these: music that waits in it is not late.
TEST(composer_of_dense_bars_is_not_late)
{
    static heard h;
    open_genre(&h, "funk", "defiance", 0);
    compose_until(&h, 0, 30);
    EXPECT(h.notes > 600);
    EXPECT_INT(composer_told(h.c).starved, 0);
    EXPECT_NEAR(h.bar_at[1] - h.bar_at[0], h.c->bar_seconds, 1e-9);
    close_all(&h);
}

static bool always(void *user)
{
    (void)user;
    return true;
}

// Who asks for the end gets it from who performs; a piece in hand is no failure.
TEST(composer_does_not_fail_when_the_end_is_asked_for)
{
    static heard h;
    arena a = {0};
    err e = {0};
    fresh_model("melody.h5", "melody_transformer", NULL);
    trained *t = trained_open(test_path("melody.h5"), &a, &e);
    EXPECT_OK(t != NULL, e);
    open_rules(&h, "joy", 0);
    h.c->setup.melody = t;
    h.env.stop = always;
    compose_until(&h, 0, 40);
    EXPECT(h.bars > 16);
    close_all(&h);
    trained_close(t);
    arena_free(&a);
}

TEST(composer_refuses_words_that_it_could_not_keep)
{
    score_wish w;
    err e = {0};
    char words[SCORE_WORDS + 8];
    memset(words, '0', sizeof words);
    memcpy(words, "0.5,0.25", 8), words[SCORE_WORDS - 1] = 0;
    EXPECT_OK(composer_wish(words, &w, &e), e);
    EXPECT_STR(w.emotion, words);
    words[SCORE_WORDS - 1] = '0', words[SCORE_WORDS] = 0;
    EXPECT_ERR(composer_wish(words, &w, &e), e, ERR_USAGE, "fewer than 96 characters");
}

TEST(composer_ends_every_note_at_a_wish_and_goes_on_with_it)
{
    static heard h;
    err e = {0};
    score_wish grief;
    open_rules(&h, "joy", 3);
    compose_until(&h, 0, 3);
    EXPECT_OK(composer_wish("grief", &grief, &e), e);
    *(score_wish *)ring_write(&h.score.wishes) = grief;
    ring_written(&h.score.wishes);
    double heard_by = 3 + composer_reaction(h.c);
    compose_until(&h, 3, heard_by + 0.2);
    EXPECT_NEAR(h.first_valence, 0.9, 0.05);
    EXPECT_NEAR(h.valence, -0.8, 1e-9);
    EXPECT(h.notes > 5);
    EXPECT_ERR(composer_wish("greif", &grief, &e), e, ERR_USAGE, "did you mean 'grief'?");
    close_all(&h);
}

TEST(composer_makes_the_same_again)
{
    static heard h;
    uint64_t first;
    open_rules(&h, "calm", 5);
    compose_until(&h, 0, 12);
    first = h.digest;
    close_all(&h);
    open_rules(&h, "calm", 5);
    compose_until(&h, 0, 12);
    EXPECT(h.digest == first);
    close_all(&h);
    open_rules(&h, "calm", 6);
    compose_until(&h, 0, 12);
    EXPECT(h.digest != first);
    close_all(&h);
}

TEST(composer_that_was_late_moves_all_that_follows)
{
    static heard h;
    err e = {0};
    open_rules(&h, "joy", 0);
    compose_until(&h, 0, 1);
    double made = h.c->made;
    take(&h, made + 0.01);
    h.last = 0;
    EXPECT_INT(composer_step(h.c, made + 30, &e), COMPOSER_WORKED);
    EXPECT_INT(composer_told(h.c).starved, 1);
    for (int i = 0; i < 50; i++)
        EXPECT(composer_step(h.c, made + 30, &e) != COMPOSER_FAILED);
    const score_event *x = ring_read(&h.score.events);
    EXPECT(x && x->at >= made + 30);
    close_all(&h);
}

// ---- By a model of events

static void open_tokens(heard *h, const trained *t, uint64_t seed)
{
    err e = {0};
    composer_setup o = {.env = &h->env,
                        .player = t,
                        .ahead = 2,
                        .context = 32,
                        .sampling = {.temperature = 1, .top_p = 1, .penalty = 1.1, .seed = seed}};
    EXPECT_OK(composer_wish("joy", &o.begin, &e), e);
    score_open(&h->score, &h->arena);
    h->c = composer_open(&o, &h->score, &h->arena, &e);
    EXPECT_OK(h->c != NULL, e);
}

TEST(composer_of_tokens_goes_on_past_its_context)
{
    static heard h;
    arena a = {0};
    err e = {0};
    fresh_model("player.h5", "emotion_midi_transformer",
                "layers=1 dim=32 heads=2 ffn=32 cross=0 emotion_tokens=2");
    trained *t = trained_open(test_path("player.h5"), &a, &e);
    EXPECT_OK(t != NULL, e);
    uint64_t digest[2];
    for (int i = 0; t && i < 2; i++) {
        open_tokens(&h, t, 1);
        compose_until(&h, 0, 15);
        EXPECT(composer_told(h.c).tokens > 64); // twice the context
        EXPECT(h.bars >= 6);
        EXPECT(h.c->made > 14.9); // or as far as the ring of events goes
        digest[i] = h.digest;
        score_wish grief;
        EXPECT_OK(composer_wish("grief", &grief, &e), e);
        *(score_wish *)ring_write(&h.score.wishes) = grief;
        ring_written(&h.score.wishes);
        compose_until(&h, 15, 15 + composer_reaction(h.c) + 4);
        EXPECT_NEAR(h.valence, -0.8, 1e-9);
        close_all(&h);
    }
    EXPECT(t && digest[0] == digest[1]);
    trained_close(t);
    arena_free(&a);
}
