// SPDX-License-Identifier: GPL-3.0-or-later
// score.h: what a piece is wanted as: an object with files in it, or one file as it is.
#ifndef KMIDI_SERVE_HTTP_SCORE_H
#define KMIDI_SERVE_HTTP_SCORE_H

#include "data/midi/midi.h"
#include "serve/http/answer.h"

// A row of "output_format": which files stand in the object.
#define SCORE_FORMATS "json|midi|wav|svg|all"
typedef enum score_format { SCORE_JSON, SCORE_MIDI, SCORE_WAV, SCORE_SVG, SCORE_ALL } score_format;

enum { SCORE_SECONDS = 600 }; // of sound at most

const char *score_name(score_format f); // as it is called there

// An Accept header that names one file and nothing else that we have: its format; else SCORE_JSON.
score_format score_wanted(const char *accept);
// The file alone.
bool score_answer(const midi_song *s, score_format f, const char *title, answer *a,
                  err *e) MUST_CHECK;
// {"midi": {"type": "audio/midi", "base64": "..."}, ...} of what the format names; NULL: nothing.
bool score_files(const midi_song *s, score_format f, const char *title, json **out,
                 err *e) MUST_CHECK;

#endif
