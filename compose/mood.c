// SPDX-License-Identifier: GPL-3.0-or-later
// mood.c: words counted (mood.h).
#include "compose/mood.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

static const mood_def moods[] = {
#define MOOD(name, mode, tempo, valence, arousal, words)                                           \
    {#name, #mode, tempo, valence, arousal, words},
#include "compose/moods.def"
#undef MOOD
};
enum { MOODS = sizeof moods / sizeof *moods };

size_t mood_count(void)
{
    return MOODS;
}

const mood_def *mood_at(int mood)
{
    CHECK(mood >= 0 && mood < MOODS);
    return &moods[mood];
}

int mood_find(const char *name)
{
    for (int i = 0; i < MOODS; i++)
        if (!strcasecmp(moods[i].name, name))
            return i;
    return -1;
}

int mood_neutral(void)
{
    return mood_find("neutral");
}

int mood_nearest(double valence, double arousal)
{
    int best = 0;
    double least = INFINITY;
    for (int i = 0; i < MOODS; i++) {
        double d = hypot(moods[i].valence - valence, moods[i].arousal - arousal);
        if (strcmp(moods[i].mode, "locrian") && d < least - 1e-9)
            least = d, best = i;
    }
    return best;
}

// ---- Words

static bool is_letter(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool mood_word(const char **text, char out[64])
{
    const char *s = *text;
    size_t n = 0;
    while (*s && !is_letter((unsigned char)*s))
        s++;
    for (; is_letter((unsigned char)*s) || *s == '_'; s++)
        if (n < 63)
            out[n++] = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
    out[n] = 0;
    *text = s;
    return n > 0;
}

static bool is_known(const char *word, const char *words)
{
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        bool stem = n && words[n - 1] == '*';
        size_t k = stem ? n - 1 : n;
        if (!strncmp(word, words, k) && (stem || !word[k]))
            return true;
    }
    return false;
}

static void count_word(const char *word, int hits[MOODS])
{
    for (int i = 0; i < MOODS; i++)
        hits[i] += is_known(word, moods[i].words);
}

static int most(const int hits[MOODS], int but)
{
    int best = -1;
    for (int i = 0; i < MOODS; i++)
        if (i != but && hits[i] > (best < 0 ? 0 : hits[best]))
            best = i;
    return best;
}

mood_reading mood_read(const char *text)
{
    mood_reading r = {.silent = true};
    int hits[MOODS] = {0};
    char word[64];
    while (mood_word(&text, word))
        r.silent = false, count_word(word, hits);
    for (int i = 0; i < MOODS; i++)
        r.hits += hits[i], r.valence += hits[i] * moods[i].valence,
            r.arousal += hits[i] * moods[i].arousal;
    r.primary = most(hits, -1), r.secondary = most(hits, r.primary);
    if (r.hits == 0)
        r.primary = mood_neutral();
    else
        r.valence /= r.hits, r.arousal /= r.hits;
    r.intensity = fmin(1, r.hits / 3.0);
    return r;
}
