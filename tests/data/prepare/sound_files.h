// SPDX-License-Identifier: GPL-3.0-or-later
// sound_files.h: folders of tones, prepared, for the tests of prepare.
#ifndef KMIDI_TESTS_DATA_PREPARE_SOUND_FILES_H
#define KMIDI_TESTS_DATA_PREPARE_SOUND_FILES_H

#include "tests/data/prepare/prepared.h"

#define SETTINGS "dataset: audio_manifest\nmel: {n_mels: 32, n_fft: 512, hop_length: 320}\n"

// Runs prepare with the settings above, `more` lines of YAML, into test_path(out).
bool sounds_prepare(const char *out, const char *more, int jobs, int part, int parts,
                    prepare_report *r, err *e);
// With these lines alone.
bool sounds_prepare_as(const char *out, const char *lines, int jobs, prepare_report *r, err *e);
void sounds_put_manifest(const char *text);
// Half a second of a tone.
void sounds_put_tone(const char *name, double hz);
void sounds_put_corpus(int64_t items);

#endif
