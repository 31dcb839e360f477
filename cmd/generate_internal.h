// SPDX-License-Identifier: GPL-3.0-or-later
// generate_internal.h: a piece of music on its way, between the parts of `kmidi generate`:
// generate.c asks and tells, generate_events.c is the transformer's.
#ifndef KMIDI_CMD_GENERATE_INTERNAL_H
#define KMIDI_CMD_GENERATE_INTERNAL_H

#include "cmd/cmd.h"
#include "data/music/arrange.h"
#include "data/music/emotions.h"
#include "infer/sampler.h"
#include "infer/trained.h"

typedef struct piece {
    cmd *c;
    trained *d;
    const midi_song *prompt; // NULL: none
    const char *emotion;     // as it was given; "of the prompt"
    float vector[EMOTION_SIZE];
    double valence, arousal;
    arrange_style style;
    sampler_options sampling;
    precision precision;
    midi_song *song; // what was made
    int bars, heard; // notes or events of the prompt that were heard
    int *chords;     // [bars]; NULL without harmony
    bool by_events;  // a model that plays, not a melody
    double longest;  // that a note may last, in seconds; 0: as long as it likes
    size_t drawn;
    double seconds; // in the model
} piece;

// Sets song, bars, heard, drawn, seconds.
bool generate_events(piece *p, err *e) MUST_CHECK;

#endif
