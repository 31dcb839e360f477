// SPDX-License-Identifier: GPL-3.0-or-later
// render.h: a MIDI file as sound: by fluidsynth, where that command and a General MIDI sound font
// are installed, else by the built-in synthesiser (data/music/additive.h).
#ifndef KMIDI_CMD_RENDER_H
#define KMIDI_CMD_RENDER_H

#include "cmd/cmd.h"
#include "data/midi/midi.h"

typedef struct render_request {
    const char *midi, *wav; // what is there, what is made
    const char *sound_font; // NULL: KMIDI_SOUNDFONT, else the usual places
    bool built_in;          // not fluidsynth, whatever is installed
} render_request;

// What is made beside a MIDI file: rows of a table of options.
#define RENDER_OPTIONS                                                                             \
    {"wav",                                                                                        \
     'w',                                                                                          \
     OPT_OUT,                                                                                      \
     "OUT.wav",                                                                                    \
     "play it, too: by fluidsynth where it is installed, else by simple tones",                    \
     false},                                                                                       \
        {"svg", 0, OPT_OUT, "OUT.svg", "draw its piano roll", false},                              \
        {"soundfont",                                                                              \
         0,                                                                                        \
         OPT_TEXT,                                                                                 \
         "FILE",                                                                                   \
         "what fluidsynth plays with (default: $KMIDI_SOUNDFONT, or where the system has one)",    \
         false},                                                                                   \
    {                                                                                              \
        "simple-tones", 0, OPT_FLAG, NULL, "not fluidsynth, even where it is installed", false     \
    }

// Who played: "fluidsynth" or "built-in". A sound font that was named must be there, and then
// fluidsynth too. The file appears under its name when it is whole.
bool render(const render_request *r, const char **by, err *e) MUST_CHECK;

// Whether --out is called as MIDI is and --wav as sound is, each where it is given; ERR_USAGE has
// the right command.
bool render_names(const cmd *c, err *e) MUST_CHECK;

#endif
