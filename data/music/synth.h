// SPDX-License-Identifier: GPL-3.0-or-later
// synth.h: a corpus made on the spot: short pieces whose tempo, mode, register, articulation,
// loudness and brightness follow an emotion. Audio or MIDI, for demos and tests where nothing else
// is at hand; it says everywhere that it is synthetic, and it is no substitute for music.
//
// A piece is composed as notes first and then played by an additive synthesiser, so that the same
// notes can be written as MIDI. What follows from valence v and arousal a (after Juslin and Laukka,
// "Communication of emotions in vocal expression and music performance", 2003; Gabrielsson and
// Lindström, 2010):
//
//     tempo         96 + 46 a beats a minute
//     mode          major where v (plus chance) is above 0
//     register      MIDI 62 + 8 v + 4 a
//     articulation  0.75 - 0.28 a of a note's time sounds
//     loudness      0.4 + 0.25 a of full scale
//     brightness    harmonics fall as 1 / h^(2.4 - 1.4 a - 0.6 v)
//
// Every clip strays from these by chance, and so does its player (a group of clips: own tempo,
// tuning, timbre, touch), or learning would be trivial. Of twenty players three belong to val and
// three to test, so that nobody is in two splits. A clip is a function of (seed, number) alone.
#ifndef KMIDI_DATA_MUSIC_SYNTH_H
#define KMIDI_DATA_MUSIC_SYNTH_H

#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "data/audio/clip.h"
#include "data/midi/midi.h"
#include "data/music/additive.h"

enum { SYNTH_RATE = 16000, SYNTH_PLAYERS = 20, SYNTH_ITEMS = 400, SYNTH_ITEMS_MOST = 10000000 };
#define SYNTH_SECONDS 3.0

typedef struct synth_options {
    int64_t items;
    double seconds; // of a clip, 0.25 to 600
    uint64_t seed;
    bool midi; // what synth_write makes: MIDI instead of sound
} synth_options;

typedef struct synth_note {
    double start, length; // seconds
    int pitch;            // MIDI
    double velocity;      // 0..1
} synth_note;

typedef struct synth_piece {
    const char *label;       // grief, joy, calm or anger
    double valence, arousal; // what was meant: the label's, and a little chance
    int player;              // 0 .. SYNTH_PLAYERS - 1
    const char *split;       // train, val or test
    double tempo;            // beats a minute
    bool major;
    int tonic; // pitch class
    // how it is played
    additive_voice voice;
    double loudness, noise; // of full scale
    synth_note *notes;      // by start
    int n_notes;
} synth_piece;

bool synth_check(const synth_options *o, err *e) MUST_CHECK;
// Piece `number` of the corpus, in memory of `a`.
void synth_compose(const synth_options *o, uint64_t number, arena *a, synth_piece *p);
// The label, player and split alone: cheap.
void synth_describe(const synth_options *o, uint64_t number, synth_piece *p);
// Its sound, [round(seconds * SYNTH_RATE)].
bool synth_clip(const synth_options *o, uint64_t number, clip *c, err *e) MUST_CHECK;
// The same notes as MIDI, to be written (midi_write.h): a piano, with tempo and key. Owned by `a`.
midi_song *synth_song(arena *a, const synth_piece *p);
// Where the item lies in a corpus that was written: "wav/00000.wav" or "midi/00000.mid".
const char *synth_path(arena *a, const synth_options *o, uint64_t number);
// "manifest.jsonl", which dataset audio_manifest reads, or "labels.jsonl", which midi_emotion does.
const char *synth_index(const synth_options *o);

// The whole corpus as DIR/wav/00000.wav ... and DIR/manifest.jsonl, or as MIDI, the same music, as
// DIR/midi/00000.mid ... and DIR/labels.jsonl, which is written last. A folder with somebody else's
// index is refused. `told` (may be NULL) hears how far it is, on the caller's thread. ERR_STOPPED
// when env_stop said so.
bool synth_write(const char *dir, const synth_options *o, const env *v,
                 void (*told)(void *user, int64_t done), void *user, err *e) MUST_CHECK;

#endif
