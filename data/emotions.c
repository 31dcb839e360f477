// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.c: the table of emotions.def and the emotion vector (emotions.h).
#include "data/emotions.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static const emotion_name names[] = {
#define EMOTION(name, valence, arousal) {#name, valence, arousal},
#include "data/emotions.def"
#undef EMOTION
};

size_t emotion_count(void)
{
    return sizeof names / sizeof *names;
}

const emotion_name *emotion_at(size_t i)
{
    return &names[i];
}

const emotion_name *emotion_find(const char *name)
{
    for (size_t i = 0; i < emotion_count(); i++)
        if (!strcasecmp(names[i].name, name))
            return &names[i];
    return NULL;
}

void emotion_vector(double valence, double arousal, double intensity, float out[EMOTION_SIZE])
{
    memset(out, 0, EMOTION_SIZE * sizeof *out);
    out[0] = (float)valence;
    out[1] = (float)arousal;
    out[2] = (float)(isnan(intensity) ? sqrt((valence * valence + arousal * arousal) / 2) : intensity);
}
