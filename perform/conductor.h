// SPDX-License-Identifier: GPL-3.0-or-later
// conductor.h: what a person says while it plays, as lines or by the knobs of a controller.
//
//     emotion grief          from the next bar line that is not made yet
//     0.5,-0.3               the same, by valence and arousal; a bare name does, too
//     quit
//
// Control changes, on any channel: 16 valence, 17 arousal (0 .. 127 is -1 .. 1, 64 is 0), 18
// intensity (0 .. 1), the three that MIDI calls general purpose. What was not moved stays as it is.
#ifndef KMIDI_PERFORM_CONDUCTOR_H
#define KMIDI_PERFORM_CONDUCTOR_H

#include <stddef.h>

#include "base/err.h"
#include "perform/score.h"

enum { CONDUCTOR_LINE = 200, CONDUCTOR_VALENCE = 16, CONDUCTOR_AROUSAL, CONDUCTOR_INTENSITY };

typedef enum conductor_says {
    CONDUCTOR_NOTHING,
    CONDUCTOR_WISH,
    CONDUCTOR_QUIT,
    CONDUCTOR_WRONG
} conductor_says;

typedef struct conductor {
    score_wish mood; // the newest
    char line[CONDUCTOR_LINE];
    size_t n;    // of the line so far
    bool longer; // than a line may be: passed over until its end
} conductor;

// The next byte of what is typed: at the end of a line, what it says (CONDUCTOR_WRONG: with a
// sentence); the wish is in k->mood.
conductor_says conductor_byte(conductor *k, char byte, err *e);
conductor_says conductor_control(conductor *k, const uint8_t bytes[3]);

#endif
