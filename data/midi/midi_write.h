// SPDX-License-Identifier: GPL-3.0-or-later
// midi_write.h: a song as a Standard MIDI File that any player takes.
//
//     // midi.h, as far as is said below
//     midi_song s = {.ticks_per_quarter = 480, .tempos = ..., .instruments = ..., .notes = ...};
//     midi_write("piece.mid", &s, e);
//
// Format 1. The first track has tempo, metre and key; each instrument has a track of its own, with
// its program before its first note, its notes, its pedal, and the end. Statuses are written out
// (no running status), a note-off is a note-off. Where instruments share a channel, the program is
// said again whenever another was in force, so that players, which have one program a channel, play
// what is meant.
//
// Of the song are used: ticks_per_quarter; of the notes instrument, pitch, velocity and the two
// ticks, in any order; of the instruments program, channel and their pedals; tempos, metres, keys.
// Their seconds matter only where there are pedals, whose times are in seconds.
//
// MIDI has one open note a channel and pitch: a note that is struck again while it sounds ends
// there, and of several struck at once the loudest velocity and the last end are kept. But for
// this, midi_read of what was written has the same notes to the tick.
//
// Why not smf_save of libsmf: it loads the file again, in this process, aborts where the two
// differ, and frees the copy in quadratic time (0.08 s for 10,000 notes, 10 s for 100,000); it
// writes to a name alone, unsynced. The format is two lines of rules; reading it back goes through
// libsmf, and the tests do.
#ifndef KMIDI_DATA_MIDI_MIDI_WRITE_H
#define KMIDI_DATA_MIDI_MIDI_WRITE_H

#include "base/str.h"
#include "data/midi/midi.h"

enum { MIDI_WRITE_TICKS = 480 }; // of a quarter, in what we compose

// A song to be filled: one tempo (quarters a minute), one metre of `beats` quarters, one instrument
// and room for `room` of them, room for `notes` notes, of which there are none yet.
midi_song *midi_blank(arena *a, double tempo, int beats, size_t room, size_t notes);
// The file's bytes, added to `out`. ERR_VALUE where the song holds what MIDI cannot say (a gap over
// 2^28 - 1 ticks, a pitch of 128 ...).
bool midi_format(const midi_song *s, strbuf *out, err *e) MUST_CHECK;
// To a file, written beside its name, synced, renamed.
bool midi_write(const char *path, const midi_song *s, err *e) MUST_CHECK;

#endif
