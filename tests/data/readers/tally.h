// SPDX-License-Identifier: GPL-3.0-or-later
// tally.h: a dataset read from end to end, counted, for the tests of readers.
#ifndef KMIDI_TESTS_DATA_READERS_TALLY_H
#define KMIDI_TESTS_DATA_READERS_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#define SHARED "../shared/data/"

typedef struct tally {
    int items, bad, split[3]; // train, validation, test by rank
    int other, grouped, labelled, midi, audio, vectors, attributes;
    // end: why the index could not be read on
    char first_path[300], first_group[300], first_bad[2000], end[2000];
    uint64_t order; // of all paths
} tally;

tally tally_run(const char *reader, const char *root, const char *index);
bool tally_no_shared(void); // then the test is skipped

#endif
