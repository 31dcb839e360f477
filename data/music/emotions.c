// SPDX-License-Identifier: GPL-3.0-or-later
// emotions.c: the table of emotions.def and the emotion vector (emotions.h).
#include "data/music/emotions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static const emotion_name names[] = {
#define EMOTION(name, valence, arousal) {#name, valence, arousal},
#include "data/music/emotions.def"
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

static bool unknown(const char *text, err *e)
{
    const char *list[sizeof names / sizeof *names];
    strbuf all = {0};
    for (size_t i = 0; i < emotion_count(); i++) {
        list[i] = names[i].name;
        strbuf_printf(&all, "%s%s", i ? ", " : "", names[i].name);
    }
    const char *near = str_nearest(text, list, emotion_count());
    err_set(e, ERR_USAGE,
            "unknown emotion '%s'%s%s%s; give valence,arousal (as 0.5,-0.2) or one of: %s", text,
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "", all.s);
    strbuf_free(&all);
    return false;
}

// Two or three numbers with commas between them; how many, or 0.
static int numbers(const char *text, double x[3])
{
    for (int n = 0; n < 3;) {
        char *end;
        x[n++] = strtod(text, &end);
        if (end == text || (*end && *end != ','))
            return 0;
        if (!*end)
            return n >= 2 ? n : 0;
        text = end + 1;
    }
    return 0;
}

bool emotion_parse(const char *text, double *valence, double *arousal, double *intensity, err *e)
{
    const emotion_name *known = emotion_find(text);
    double x[3] = {0, 0, NAN};
    int n = known ? 2 : numbers(text, x);
    if (!n)
        return unknown(text, e);
    *valence = known ? known->valence : x[0], *arousal = known ? known->arousal : x[1],
    *intensity = n == 3 ? x[2] : NAN;
    if (!(fabs(*valence) <= 1 && fabs(*arousal) <= 1))
        return err_set(e, ERR_USAGE, "emotion '%s': valence and arousal lie from -1 to 1", text);
    return n < 3 || (*intensity >= 0 && *intensity <= 1) ||
           err_set(e, ERR_USAGE, "emotion '%s': intensity lies from 0 to 1", text);
}

void emotion_vector(double valence, double arousal, double intensity, float out[EMOTION_SIZE])
{
    memset(out, 0, EMOTION_SIZE * sizeof *out);
    out[0] = (float)valence;
    out[1] = (float)arousal;
    out[2] =
        (float)(isnan(intensity) ? sqrt((valence * valence + arousal * arousal) / 2) : intensity);
}
