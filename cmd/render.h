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

// Who played: "fluidsynth" or "built-in". A sound font that was named must be there, and then
// fluidsynth too. The file appears under its name when it is whole.
bool render(const render_request *r, const char **by, err *e) MUST_CHECK;

// Whether --out is called as MIDI is and --wav as sound is, each where it is given; ERR_USAGE has
// the right command.
bool render_names(const cmd *c, err *e) MUST_CHECK;

#endif
