// SPDX-License-Identifier: GPL-3.0-or-later
// score.h: music between those who make it and those who play it: MIDI messages and bar lines, each
// with its moment, in rings that nobody waits for (serve/ring.h).
//
//     composer --events (128), bars--> the frame loop     --kept events, kept bars--> the recorder
//     conductor --wishes--> composer                      what is to be felt from a bar line on
//
// Moments are seconds since the performance began; what is put later is not earlier. A message or a
// bar is put into both of its rings or into none: whoever makes them asks first (score_room).
#ifndef KMIDI_PERFORM_SCORE_H
#define KMIDI_PERFORM_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/midi/midi.h"
#include "serve/ring.h"

enum { SCORE_EVENTS = 128, SCORE_BARS = 64, SCORE_KEPT = 1024, SCORE_WISHES = 16 };

// A MIDI message of a channel: note on (velocity > 0) or off, control change, program change.
typedef struct score_event {
    double at;
    uint8_t bytes[3]; // the second datum of a program change is 0
} score_event;

typedef struct score_bar {
    double at, seconds; // seconds: as it is meant to last
    int beats;          // quarters
    double valence, arousal, intensity;
} score_bar;

enum { SCORE_WORDS = 96 };
typedef struct score_wish {
    char emotion[SCORE_WORDS]; // as a person writes it, checked
    double valence, arousal, intensity;
} score_wish;

typedef struct score {
    ring events, kept_events; // of score_event
    ring bars, kept_bars;     // of score_bar
    ring wishes;              // of score_wish
} score;

static inline void score_open(score *s, arena *a)
{
    ring_open(&s->events, NEW(a, score_event, SCORE_EVENTS), sizeof(score_event), SCORE_EVENTS);
    ring_open(&s->kept_events, NEW(a, score_event, SCORE_KEPT), sizeof(score_event), SCORE_KEPT);
    ring_open(&s->bars, NEW(a, score_bar, SCORE_BARS), sizeof(score_bar), SCORE_BARS);
    ring_open(&s->kept_bars, NEW(a, score_bar, SCORE_BARS), sizeof(score_bar), SCORE_BARS);
    ring_open(&s->wishes, NEW(a, score_wish, SCORE_WISHES), sizeof(score_wish), SCORE_WISHES);
}

// Whether so many messages find a place.
static inline bool score_room(score *s, unsigned events)
{
    return ring_room(&s->events) >= events && ring_room(&s->kept_events) >= events;
}

static inline bool score_bar_room(score *s)
{
    return ring_room(&s->bars) && ring_room(&s->kept_bars);
}

static inline void score_put(score *s, const score_event *x)
{
    *(score_event *)ring_write(&s->events) = *x;
    ring_written(&s->events);
    *(score_event *)ring_write(&s->kept_events) = *x;
    ring_written(&s->kept_events);
}

static inline void score_put_bar(score *s, const score_bar *b)
{
    *(score_bar *)ring_write(&s->bars) = *b;
    ring_written(&s->bars);
    *(score_bar *)ring_write(&s->kept_bars) = *b;
    ring_written(&s->kept_bars);
}

#endif
