// SPDX-License-Identifier: GPL-3.0-or-later
// conductor.c: fuzz target (`make fuzz`): what is typed or sent while it plays leaves a mood that
// is in range and that the composer understands.
#include "perform/conductor.h"

#include <string.h>

#include "perform/composer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    conductor k = {0};
    err e = {0};
    score_wish again;
    for (size_t i = 0; i < n; i++)
        if (conductor_byte(&k, (char)bytes[i], &e) == CONDUCTOR_WISH ||
            (i + 3 <= n && conductor_control(&k, bytes + i) == CONDUCTOR_WISH)) {
            CHECK(k.mood.valence >= -1 && k.mood.valence <= 1);
            CHECK(k.mood.arousal >= -1 && k.mood.arousal <= 1);
            CHECK(k.mood.intensity >= 0 && k.mood.intensity <= 1);
            CHECK(composer_wish(k.mood.emotion, &again, &e));
        }
    return 0;
}
