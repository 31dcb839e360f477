// SPDX-License-Identifier: GPL-3.0-or-later
// composer.h: who makes the music, ahead of those who play it: a model of events, token by token
// (composer_tokens.c), or the small models and the rules of compose/, bar by bar
// (composer_rules.c).
//
//     composer *c = composer_open(&setup, &score, &arena, e);
//     for (;;)
//         switch (composer_step(c, now, e)) { ... COMPOSER_IDLE: there is time ... }
//     composer_close(c);
//
// A step is a token or what a bar still has. Music is made until `ahead` bars behind now, or until
// the ring of events is full. At every bar line the newest wish is taken: from there on the music
// is made so, and the bar line says so to those who draw. Where the composer was too slow, and the
// moment until which music was made has passed, all that comes is later by as much: the rhythm
// stays, and it is counted.
#ifndef KMIDI_PERFORM_COMPOSER_H
#define KMIDI_PERFORM_COMPOSER_H

#include <stdatomic.h>

#include "autograd/passes/precision.h"
#include "base/env.h"
#include "infer/sampler.h"
#include "infer/trained.h"
#include "perform/score.h"

enum { COMPOSER_CONTEXT = 256 }; // tokens that are heard again, at most

typedef struct composer_setup {
    const env *env;                                      // its kit; its pool where `shared`
    bool shared;                                         // a token may use the pool
    const trained *player;                               // a model of events; NULL: the rules, and
    const trained *melody, *harmony, *groove, *dynamics; // each may be NULL
    const char *genre, *key;                             // of the rules; NULL: as they have it
    double tempo; // quarters a minute; 0: as the emotion has it
    int ahead;    // bars
    int context;  // tokens that are heard; 0: COMPOSER_CONTEXT, or what the player was trained on
    sampler_options sampling;
    precision precision; // of the player's weights
    score_wish begin;
} composer_setup;

typedef struct composer composer;
typedef enum composer_did { COMPOSER_WORKED, COMPOSER_IDLE, COMPOSER_FAILED } composer_did;

composer *composer_open(const composer_setup *o, score *s, arena *a, err *e) MUST_CHECK;
composer_did composer_step(composer *c, double now, err *e) MUST_CHECK;
void composer_close(composer *c); // accepts NULL

// For another thread: what was drawn of a model, and how long that took in all.
typedef struct composer_counts {
    long long tokens;
    double seconds;
    long long starved; // times that it was too late
} composer_counts;
composer_counts composer_told(composer *c);
double composer_reaction(composer *c); // seconds until a wish is heard, at most

// A wish from words: a name of either table of emotions, or V,A[,I]; ERR_USAGE: the nearest one.
bool composer_wish(const char *words, score_wish *out, err *e) MUST_CHECK;

// ---- For composer_tokens.c and composer_rules.c

struct composer {
    composer_setup setup;
    score *score;
    arena *arena;
    double late; // added to all that follows
    _Atomic float reaction;
    double made;        // seconds of music, without `late`, that are whole
    double bar_end;     // of the newest bar, the same way
    double bar_seconds; // of the newest bar
    score_wish mood;    // in force
    atomic_llong tokens, nanoseconds, starved;
    composer_did (*step)(composer *c, err *e);
    void (*close)(composer *c);
    void *self;
};

bool composer_tokens_open(composer *c, err *e) MUST_CHECK;
bool composer_rules_open(composer *c, err *e) MUST_CHECK;
// The newest wish becomes the mood; false: there was none.
bool composer_listen(composer *c);
// The bar behind bar_end, in the mood; there is room for it (score_bar_room).
void composer_bar(composer *c, double seconds, int beats);
void composer_put(composer *c, double at, int status, int a, int b);

#endif
