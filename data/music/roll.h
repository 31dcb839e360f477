// SPDX-License-Identifier: GPL-3.0-or-later
// roll.h: a song as a picture, a piano roll in SVG: pitch upwards with a line and a name at every
// C, time to the right in seconds and bars, a colour for each instrument, the louder the darker;
// drums and the pedal in lanes of their own.
//
//     strbuf text = {0};
//     roll_svg(song, "piece.mid", &text);
//
// However long the song is, the picture is at most ROLL_WIDTH wide: notes of an instrument and
// pitch that lie closer than a third of a unit become one, and of more than ROLL_NOTES the rest is
// left out, which the picture then says.
#ifndef KMIDI_DATA_MUSIC_ROLL_H
#define KMIDI_DATA_MUSIC_ROLL_H

#include "base/str.h"
#include "data/midi/midi.h"

enum { ROLL_WIDTH = 4000, ROLL_NOTES = 100000 };

// `s` has notes. `title` may be any text.
void roll_svg(const midi_song *s, const char *title, strbuf *out);
// The same as a file; `path` NULL: none is wanted. ERR_EMPTY: there are no notes.
bool roll_write(const char *path, const midi_song *s, const char *title, err *e) MUST_CHECK;

#endif
