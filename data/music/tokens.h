// SPDX-License-Identifier: GPL-3.0-or-later
// tokens.h: a performance as a row of 388 kinds of events, in the dialect of note-seq
// (docs/tokens.md).
//
//     0..127    note on, the pitch                256..355  time passes: 1..100 steps of 10 ms
//     128..255  note off, the pitch               356..387  velocity from here on: bin 1..32 of 4
//
// The feature "tokens" (data/features/tokens.c) makes them of a song; tokens_decode makes notes of
// them again, as note-seq does: what stands between is exact to 5 ms and a bin of velocity. Notes
// of less than 5 ms last 10 ms; the pedal's work is in the ends of the notes.
//
//     tokens_note *notes;
//     if (!tokens_decode(tokens, n, &arena, &notes, &n_notes, e)) ...
#ifndef KMIDI_DATA_MUSIC_TOKENS_H
#define KMIDI_DATA_MUSIC_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/setting.h"

#define TOKENS_DIALECT "note-seq-388"
enum {
    TOKENS_COUNT = 388,
    TOKENS_ON = 0,
    TOKENS_OFF = 128,
    TOKENS_SHIFT = 256,    // 1 step
    TOKENS_VELOCITY = 356, // bin 1
    TOKENS_STEPS = 100,    // a second; and the most that one event shifts
    TOKENS_BINS = 32,
    TOKENS_BIN = 4, // velocities of a bin
};

typedef struct tokens_settings {
    int dialect; // there is one
    bool drums;  // notes of drums stand among the others instead of being left out
    bool to_c;   // songs are moved by key_to_c (key.h); prompts too, and what is generated back
} tokens_settings;

extern const config_key tokens_table[];
extern const size_t tokens_table_n;

typedef struct tokens_note {
    double start, end; // seconds, multiples of 0.01
    uint8_t pitch, velocity;
} tokens_note;

// Whether an event begins a note, and the seconds that it lets pass (0 but for shifts).
static inline bool tokens_begins_note(int64_t token)
{
    return token >= TOKENS_ON && token < TOKENS_OFF;
}

static inline double tokens_seconds(int64_t token)
{
    bool shift = token >= TOKENS_SHIFT && token < TOKENS_VELOCITY;
    return shift ? (double)(token - TOKENS_SHIFT + 1) / TOKENS_STEPS : 0;
}

// Notes by (start, pitch), owned by `a`. A note-off ends the oldest open note of its pitch; what is
// open at the end ends there; notes without duration and note-offs without a note are left out.
// ERR_VALUE: a number over 387.
bool tokens_decode(const uint16_t *tokens, size_t n, arena *a, tokens_note **notes, size_t *n_notes,
                   err *e) MUST_CHECK;

#endif
