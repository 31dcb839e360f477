// SPDX-License-Identifier: GPL-3.0-or-later
// song_plan.h: what will be played: key, mode, tempo, length, chords and how it feels, and the way
// there from what a person says.
//
//     song_plan p;
//     song_plan_wish w = {.text = "a melancholic ballad about loss", .bars = 8};
//     song_plan_make(&w, &a, &p, e)              by the rules below
//     song_plan_write("song.plan.json", &p, e);  song_plan_read("song.plan.json", &a, &p, e)
//
// The rules, in this order (docs/compose.md has them with their sources):
//
//     mood        of the text by its words (mood.h); of an emotion the nearest one
//     genre       as given, else the first that the text names, else plain
//     mode, tempo of the mood; a key that is given as major or minor moves the mode to that side; a
//                 genre moves the tempo into its range
//     key         as given, else named in the text ("in A minor"), else C
//     motivation  tempo / 20 cut to 1 .. 10 where a tempo is given, else 7
//     length      16 bars up to motivation 3, 32 up to 7, else 64
//     complexity  0.5, above motivation 8 0.6
//     chords      the genre's progression, else the mode's (progressions.def), one a bar, again
//                 and again; the last bar is the tonic
//
// A plan is a value: the same plan and the same models give the same bytes. The file is JSON under
// the names that the clients of KmiDi's service know; whatever is in it is checked when it comes
// back.
#ifndef KMIDI_COMPOSE_SONG_PLAN_H
#define KMIDI_COMPOSE_SONG_PLAN_H

#include "base/arena.h"
#include "base/json.h"
#include "compose/genre.h"
#include "compose/theory.h"

enum {
    SONG_PLAN_BARS = 4096,
    SONG_PLAN_TEXT = 1 << 20,
    SONG_PLAN_BYTES = 16 << 20,
    SONG_PLAN_MAKERS = 8,
    SONG_PLAN_EMOTIONS = 128
};
#define SONG_PLAN_TEMPO_LEAST 20.0
#define SONG_PLAN_TEMPO_MOST  400.0

// What somebody else made of the text (intent.h).
typedef struct song_intent {
    const char *by;
    int primary, secondary; // moods; secondary -1: none
    int genre;
    mode_family family;
    double pace; // times the mood's tempo
    const char *const *themes;
    int n_themes;
} song_intent;

typedef struct song_plan_wish {
    const char *text;    // NULL: none
    const char *emotion; // a mood, a name of data/music/emotions.def, or V,A; NULL: none
    const char *genre, *key;
    double tempo;              // 0: not given
    int64_t bars;              // 0: not given
    uint64_t seed;             // which of a genre's progressions; and of all that is drawn later
    const song_intent *intent; // in place of counting words; what is given above still wins
} song_plan_wish;

typedef struct song_maker { // of a part, as a plan's file tells: "melody", "runs/melody"
    const char *part, *checkpoint;
} song_maker;

typedef struct song_plan {
    const char *text;       // "" where there was none
    const char *by;         // what said so: "rules", or the name of a language model
    int primary, secondary; // moods; secondary -1: none
    int hits;               // words of the text that the rules knew; -1: an emotion was given
    bool silent;            // there was neither text nor emotion
    double intensity, valence, arousal;
    int genre, root, mode, bars, beats; // beats of a bar, in quarters
    double tempo, complexity;           // quarters a minute; 0 .. 1
    chord_symbol *chords;               // [bars]
    const char *chords_from;
    const char *const *themes; // [n_themes] what a model found in the text
    int n_themes;
    song_maker makers[SONG_PLAN_MAKERS]; // of a plan that was read: parts that models made
    int n_makers;
    uint64_t seed;
} song_plan;

// ERR_USAGE: nothing is asked, an unknown genre or emotion (the nearest), what is no key, a number
// out of range.
bool song_plan_make(const song_plan_wish *w, arena *a, song_plan *out, err *e) MUST_CHECK;

// The names that wish.emotion may have, of both tables, each once; how many.
size_t song_plan_emotions(const char *out[SONG_PLAN_EMOTIONS]);

// What the plan says of itself, {"affect": {...}, "plan": {...}, ...}; json_free it.
json *song_plan_json(const song_plan *p);
bool song_plan_from_json(const json *j, arena *a, song_plan *out, err *e) MUST_CHECK;
// `parts` (who made what) goes into the file too, for people; it may be NULL, and is taken.
bool song_plan_write(const char *path, const song_plan *p, json *parts, err *e) MUST_CHECK;
// ERR_FORMAT, ERR_VALUE, ERR_CONFIG name the file, the key and what may stand there.
bool song_plan_read(const char *path, arena *a, song_plan *out, err *e) MUST_CHECK;

// ---- For song_plan.c and song_plan_file.c
// Chords one a bar: those given, again and again.
void song_plan_lay_chords(song_plan *p, arena *a, const chord_symbol *chords, int n);
chord_symbol song_plan_tonic(int root, int mode);
bool song_plan_in_range(const char *what, double x, double least, double most, err *e) MUST_CHECK;

#endif
