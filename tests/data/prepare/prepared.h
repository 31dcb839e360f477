// SPDX-License-Identifier: GPL-3.0-or-later
// prepared.h: prepare run by a test, and what it left behind; for files of sound and of MIDI.
#ifndef KMIDI_TESTS_DATA_PREPARE_PREPARED_H
#define KMIDI_TESTS_DATA_PREPARE_PREPARED_H

#include "data/prepare/prepare.h"

// With these lines of YAML, into test_path(out); part `part` of `parts`.
bool prepared(const char *out, const char *yaml, int jobs, int part, int parts, prepare_report *r,
              err *e);
// Whether test_path(a) and test_path(b) hold the same files.
bool prepared_alike(const char *a, const char *b);
// The rejected.jsonl of test_path(out); "" where there is none.
const char *prepared_rejects(arena *a, const char *out);

#endif
