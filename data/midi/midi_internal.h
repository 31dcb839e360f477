// SPDX-License-Identifier: GPL-3.0-or-later
// midi_internal.h: the steps from bytes to a song.
//
//     midi_frame.c   chunks and events are where the file says they are; what is left is a plain
//                    file that libsmf reads rightly
//     midi_smf.c     libsmf: bytes to events with their ticks
//     midi_build.c   events to notes, instruments and pedal, with midi_time.c: tempo, metre and key
#ifndef KMIDI_DATA_MIDI_MIDI_INTERNAL_H
#define KMIDI_DATA_MIDI_MIDI_INTERNAL_H

#include "data/midi/midi.h"

// Meta events that a song is made from. They go through libsmf as sequencer-specific events
// (META_OWN) with their kind in front.
enum { META_END = 0x2f, META_TEMPO = 0x51, META_METRE = 0x58, META_KEY = 0x59, META_OWN = 0x7f };
enum { CONTROL_PEDAL = 64 };

typedef struct midi_frame {
    int format, tracks; // tracks >= 1
    int ticks;          // a quarter; SMPTE: a second
    bool smpte;
    double smpte_tick;    // seconds of a tick where smpte
    const uint8_t *bytes; // format 1, header of 6 bytes, only tracks, each with its end
    size_t n, events;     // events in `bytes`, ends of tracks included
    uint32_t last_tick;   // of the events in the file, those that were left out included
    // [tracks] format 2: where each sequence begins, the end of the one before; else NULL, and all
    // begin at 0
    uint32_t *begin;
    uint32_t behind_end; // notes that are struck behind the end of their track
} midi_frame;

// ERR_EMPTY, ERR_FORMAT, ERR_DAMAGED, ERR_VALUE; each sentence names `name`, the place in the file
// and what to do.
bool midi_frame_read(arena *a, const char *name, const void *bytes, size_t n, midi_frame *f,
                     err *e) MUST_CHECK;

// A channel message (status 0x80 .. 0xef), or a meta event (status 0xff, then META_TEMPO,
// META_METRE or META_KEY and its data).
typedef struct midi_event {
    uint32_t tick; // of format 2: its sequence's begin included
    uint8_t byte[8];
} midi_event;

typedef struct midi_track {
    // [n] by tick, in the order of the file; those of all tracks in one row
    const midi_event *events;
    size_t n;
} midi_track;

bool midi_build(arena *a, const char *name, const midi_frame *f, const midi_track *tracks,
                midi_song *s, err *e) MUST_CHECK;
// ---- midi_time.c
// What a tick is, by the header's last number: f->ticks, f->smpte, f->smpte_tick.
bool midi_division(const char *name, uint32_t x, midi_frame *f, err *e) MUST_CHECK;
// Tempos, metres and keys of the song; nothing else of it is needed but its division.
void midi_build_time(arena *out, const midi_frame *f, const midi_track *tracks, midi_song *s);

#endif
