// SPDX-License-Identifier: GPL-3.0-or-later
// midi.h: a MIDI file as music: notes in seconds and in ticks, instruments, tempo, metre, key and
// pedal.
//
//     arena a = {.name = "song"};
//     // "'piece.mid': track 3 of 4 ends 12 bytes behind the end of the file; ..."
//     const midi_song *s = midi_read(&a, "piece.mid", e);
//     for (size_t i = 0; i < s->n_notes; i++)
//         if (!s->instruments[s->notes[i].instrument].is_drum)
//             ... s->notes[i].start, s->notes[i].pitch ...     // by start, then pitch
//     arena_free(&a);
//
// The rules of notes are those of pretty_midi (Raffel and Ellis, 2014), through which note-seq and
// with it most published token sets were read, so that counts and tokens agree with theirs:
//
//     - one tempo map for all tracks; 120 beats a minute before the first tempo event. The tracks
//       of format 2 are sequences, each with a map of its own: they are laid one behind the other,
//       each where the last event of the one before is
//     - a note-on of velocity 0 is a note-off; a note-off closes every open note of its channel and
//       pitch in its track, except those that began on the same tick; a note that is never closed,
//       or only on its own tick, is dropped. But a drum hit that is closed on its own tick stays,
//       and lasts a tick: its length says nothing (symusic keeps it too, with length 0; pretty_midi
//       drops it)
//     - an instrument is a (program, channel, track); the program is the one in force when the note
//       ends; channel 10 plays drums
//     - a pedal (controller 64) is down from 64 upwards and acts on its own instrument; of two
//       events at one moment, down comes first
//
// In formats 0 and 1 tracks sound together. What stands behind the end of a track is passed over,
// and notes there are counted. Division in ticks a quarter or in frames of time code (SMPTE). A
// RIFF (RMID) wrapper is taken off. What can be salvaged without guessing is: chunks of unknown
// kind, wrong counts of tracks, bytes behind the last track. What cannot be read is refused with
// one sentence; nothing is put in its place.
#ifndef KMIDI_DATA_MIDI_MIDI_H
#define KMIDI_DATA_MIDI_MIDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

// How names of MIDI files end, in whatever case: the one list, for readers, inspect and verify.
// NULL ends it.
extern const char *const midi_endings[];

// Limits of a file that is taken for music.
enum { MIDI_BYTES = 64 << 20, MIDI_TRACKS = 65535, MIDI_CHANNELS = 16, MIDI_DRUMS = 9 };
#define MIDI_HOURS 24.0
// Status bytes of channel 0.
enum { MIDI_NOTE_OFF = 0x80, MIDI_NOTE_ON = 0x90, MIDI_CONTROL = 0xb0, MIDI_PROGRAM = 0xc0 };

typedef struct midi_note {
    double start, end;             // seconds, start < end
    uint32_t start_tick, end_tick; // start_tick < end_tick
    uint16_t instrument;
    uint8_t pitch, velocity; // 0..127, 1..127
} midi_note;

typedef struct midi_instrument {
    uint8_t program, channel; // 0..127, 0..15
    bool is_drum;             // channel == MIDI_DRUMS
    uint16_t track;           // of the file, from 0
    uint32_t notes;           // how many are its own
    // its spans are song.pedals[first_pedal .. first_pedal + pedals), which several may share
    uint32_t first_pedal, pedals;
} midi_instrument;

// The pedal is down in [start, end). One that is never lifted is down until the last note or pedal
// event.
typedef struct midi_pedal {
    double start, end; // seconds, start <= end; one instrument's follow each other
} midi_pedal;

// From here on a quarter lasts so long. The first is at tick 0; ticks increase.
typedef struct midi_tempo {
    uint32_t tick;
    double seconds; // at `tick`
    // microseconds; in SMPTE time a quarter is one second, whatever the file says
    double us_per_quarter;
} midi_tempo;

typedef struct midi_metre {
    uint32_t tick;
    double seconds;
    int numerator, denominator; // 1..255; 1, 2, 4 .. 64
} midi_metre;

typedef struct midi_key {
    uint32_t tick;
    double seconds;
    int sharps; // -7 (flats) .. 7
    bool minor;
} midi_key;

typedef struct midi_song {
    midi_note *notes; // [n_notes] by (start, pitch, instrument, order of closing)
    size_t n_notes;
    // [n_instruments] in the order of their first closed note, track by track
    midi_instrument *instruments;
    size_t n_instruments;
    midi_pedal *pedals; // [n_pedals]
    size_t n_pedals;
    midi_tempo *tempos; // [n_tempos], at least one
    size_t n_tempos;
    midi_metre *metres; // [n_metres], as the file has them: may be none (then 4/4 is meant)
    size_t n_metres;
    midi_key *keys; // [n_keys], as the file has them: often none, and often a meaningless C major
    size_t n_keys;
    int format;            // 0, 1, 2 as the header says
    int tracks;            // that were read
    int ticks_per_quarter; // SMPTE: ticks of a second (of 30 frames where it has 29.97)
    bool smpte;
    double seconds;     // when the last note ends; 0 without notes
    uint32_t last_tick; // of the last event of any kind
    uint32_t note_ons;  // with a velocity
    uint32_t dropped;   // of these never closed, or on their own tick
    // notes struck behind the end of their track: not read, and not among note_ons
    uint32_t behind_end;
} midi_song;

// ---- Reading
// From a file, in a worker process of its own (worker.h): whatever the file does to libsmf, this
// returns. The song is owned by `a`. Errors, each naming the file: ERR_MISSING, ERR_IO, ERR_EMPTY,
// ERR_FORMAT (not MIDI), ERR_DAMAGED, ERR_VALUE (longer than MIDI_HOURS), ERR_CRASH, ERR_TIMEOUT,
// ERR_MEMORY (worker.h).
midi_song *midi_read(arena *a, const char *path, err *e) MUST_CHECK;
// The same in this process, for workers: libsmf, which reads what is sound here (midi_frame.c), may
// yet abort over it.
midi_song *midi_load(arena *a, const char *path, err *e) MUST_CHECK;
// From bytes; `name` is for messages.
midi_song *midi_parse(arena *a, const char *name, const void *bytes, size_t n, err *e) MUST_CHECK;

// Seconds of any tick, by the song's tempo map, and the tick of a moment (not rounded).
double midi_seconds(const midi_song *s, double tick);
double midi_ticks(const midi_song *s, double seconds);

// SHA-256 over starts and ends (in 192nds of a quarter), pitches and what is drums, in no order:
// equal for files that have the same notes in other bytes, other tempo, dynamics, instruments,
// resolution or order of tracks.
void midi_notes_digest(const midi_song *s, char hex[65]);

// ---- Across processes: the song as bytes, and back. What comes back is checked as if it came from
// outside.
void midi_pack(const midi_song *s, strbuf *out);
midi_song *midi_unpack(arena *a, const char *name, const void *bytes, size_t n, err *e) MUST_CHECK;

const char *midi_library(void); // the library's version, as it calls itself

#endif
