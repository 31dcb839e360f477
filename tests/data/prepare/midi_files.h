// SPDX-License-Identifier: GPL-3.0-or-later
// midi_files.h: folders of small MIDI files, prepared, for the tests of prepare.
#ifndef KMIDI_TESTS_DATA_PREPARE_MIDI_FILES_H
#define KMIDI_TESTS_DATA_PREPARE_MIDI_FILES_H

#include "tests/data/midi/midi_bytes.h"
#include "tests/data/prepare/prepared.h"

#define SETTINGS "features: [tokens, midi_stats]\nshard_items: 5\n"
#define ALL_FEATURES                                                                               \
    "features: [dynamics, tokens, groove, harmony, melody, midi_stats]\nshard_items: 5\n"

bool midi_prepare_into(const char *out, const char *more, int jobs, int part, int parts,
                       prepare_report *r, err *e);
// Three notes from `pitch` upwards, `before` ticks behind the start.
void midi_put_song(const char *name, int pitch, int before);
void midi_put_text(const char *name, const char *text);
void midi_make_folders(void);
void midi_put_songs(int n);

#endif
