// SPDX-License-Identifier: GPL-3.0-or-later
// composer_rules.c: the small models and the rules of compose/ make pieces of eight bars, one
// behind the other, each of another seed (composer.h). A new emotion ends the piece at the next
// bar line, and what sounds there; the next piece begins with it.
#include <math.h>
#include <stdlib.h>

#include "base/hw.h"
#include "compose/compose.h"
#include "perform/composer.h"

enum { PIECE_BARS = 8 };
#define MOMENT 1e-6 // seconds: a bar is whole when its end is reached, and not before
enum { CHANNELS = 16, PITCHES = 128 };

typedef struct rules_player {
    arena piece;         // of the piece in hand
    score_event *events; // [n] by time, from the beginning of the piece
    size_t n, next;
    double begin;         // of the piece
    double bar;           // seconds of one
    int beats, bars_left; // bars_left: whose line was not put yet
    uint64_t pieces;
    uint8_t open[CHANNELS][PITCHES]; // notes that sound
} rules_player;

// ---- A piece as messages

// At one moment ends come before beginnings, programs before both.
static int rank(const score_event *x)
{
    int kind = x->bytes[0] & 0xf0;
    return kind == MIDI_PROGRAM ? 0 : kind == MIDI_NOTE_OFF ? 1 : 2;
}

static int by_time(const void *a, const void *b)
{
    const score_event *x = a, *y = b;
    return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : rank(x) - rank(y);
}

static void add(rules_player *p, double at, int status, int a, int b)
{
    p->events[p->n++] = (score_event){.at = at, .bytes = {(uint8_t)status, (uint8_t)a, (uint8_t)b}};
}

// Notes reach no further than the piece, so that the next one begins in silence.
static void lay_out(rules_player *p, const midi_song *s)
{
    double end = PIECE_BARS * p->bar;
    p->n = p->next = 0;
    p->events = NEW(&p->piece, score_event, s->n_instruments + 2 * s->n_notes);
    for (size_t i = 0; i < s->n_instruments; i++)
        add(p, 0, MIDI_PROGRAM | s->instruments[i].channel, s->instruments[i].program, 0);
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *x = &s->notes[i];
        int channel = s->instruments[x->instrument].channel;
        double start = x->start > 0 ? x->start : 0;
        if (start >= end)
            continue;
        add(p, start, MIDI_NOTE_ON | channel, x->pitch, x->velocity);
        add(p, x->end < end ? x->end : end, MIDI_NOTE_OFF | channel, x->pitch, 0);
    }
    qsort(p->events, p->n, sizeof *p->events, by_time);
}

// Half a piece is nothing: who asks for the end is heard by who performs, not here.
static bool make_piece(composer *c, err *e)
{
    const composer_setup *o = &c->setup;
    rules_player *p = c->self;
    song_plan plan;
    song_plan_wish w = {.emotion = c->mood.emotion,
                        .genre = o->genre,
                        .key = o->key,
                        .tempo = o->tempo,
                        .bars = PIECE_BARS,
                        .seed = o->sampling.seed + p->pieces++};
    double since = hw_seconds();
    arena_reset(&p->piece);
    if (!song_plan_make(&w, &p->piece, &plan, e))
        return false;
    env deaf = *o->env;
    deaf.stop = NULL;
    composition k = {.arena = &p->piece,
                     .env = &deaf,
                     .plan = &plan,
                     .melody = o->melody,
                     .harmony = o->harmony,
                     .groove = o->groove,
                     .dynamics = o->dynamics,
                     .sampling = o->sampling};
    k.sampling.penalty = 1; // the form repeats what it means to
    if (!compose(&k, e))
        return false;
    p->beats = plan.beats, p->bar = plan.beats * 60 / plan.tempo;
    p->begin = c->bar_end, p->bars_left = PIECE_BARS;
    lay_out(p, k.song);
    atomic_fetch_add(&c->tokens, (long long)k.drawn);
    atomic_fetch_add(&c->nanoseconds, (long long)(1e9 * (hw_seconds() - since)));
    return true;
}

// ---- As it is played

static void put(composer *c, const score_event *x, double at)
{
    rules_player *p = c->self;
    uint8_t *open = &p->open[x->bytes[0] & 15][x->bytes[1] & 127];
    int kind = x->bytes[0] & 0xf0;
    if (kind == MIDI_NOTE_ON)
        ++*open;
    else if (kind == MIDI_NOTE_OFF && *open)
        --*open;
    composer_put(c, at, x->bytes[0], x->bytes[1], x->bytes[2]);
}

// What sounds ends here; false: there is no room for all of it yet.
static bool cut(composer *c)
{
    rules_player *p = c->self;
    for (int i = 0; i < CHANNELS * PITCHES; i++)
        while (p->open[i / PITCHES][i % PITCHES]) {
            score_event off = {
                .bytes = {(uint8_t)(MIDI_NOTE_OFF | i / PITCHES), (uint8_t)(i % PITCHES)}};
            if (!score_room(c->score, 1))
                return false;
            put(c, &off, c->bar_end);
        }
    p->next = p->n, p->bars_left = 0;
    return true;
}

// At a bar line: the wish, a new piece where there is none left, the line.
static composer_did next_bar(composer *c, err *e)
{
    rules_player *p = c->self;
    if (!score_bar_room(c->score))
        return COMPOSER_IDLE;
    if (ring_read(&c->score->wishes) && !cut(c))
        return COMPOSER_IDLE;
    composer_listen(c);
    if (!p->bars_left && !make_piece(c, e))
        return COMPOSER_FAILED;
    p->bars_left--;
    composer_bar(c, p->bar, p->beats);
    return COMPOSER_WORKED;
}

// The next bar line, then all of its bar, as far as there is room.
static composer_did step(composer *c, err *e)
{
    rules_player *p = c->self;
    if (c->made >= c->bar_end) {
        composer_did did = next_bar(c, e);
        if (did != COMPOSER_WORKED)
            return did;
    }
    // of the last bar the ends that lie on its very end, too
    for (; p->next < p->n && (!p->bars_left || p->begin + p->events[p->next].at < c->bar_end);
         p->next++) {
        double at = p->begin + p->events[p->next].at;
        if (!score_room(c->score, 1))
            return COMPOSER_IDLE;
        put(c, &p->events[p->next], at);
        c->made = fmax(c->made, fmin(at, c->bar_end - MOMENT));
    }
    c->made = c->bar_end;
    return COMPOSER_WORKED;
}

static void close_rules(composer *c)
{
    rules_player *p = c->self;
    arena_free(&p->piece);
}

// The first piece is there when it is open: whatever is wrong with genre, key or models is said.
bool composer_rules_open(composer *c, err *e)
{
    rules_player *p = c->self = NEW(c->arena, rules_player, 1);
    p->piece.name = "piece";
    c->step = step, c->close = close_rules;
    return make_piece(c, e);
}
