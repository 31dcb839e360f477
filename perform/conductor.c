// SPDX-License-Identifier: GPL-3.0-or-later
// conductor.c: lines and knobs (conductor.h).
#include "perform/conductor.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "perform/composer.h"

static const char blanks[] = " \t\r";

// Blanks around it taken off, in place.
static char *trimmed(char *line)
{
    line += strspn(line, blanks);
    size_t n = strlen(line);
    while (n > 0 && strchr(blanks, line[n - 1]))
        line[--n] = 0;
    return line;
}

static bool is_one_of(const char *line, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(line, *words))
            return true;
    return false;
}

static conductor_says say(conductor *k, char *line, err *e)
{
    static const char *const ends[] = {"quit", "q", "exit", "stop", NULL};
    static const char emotion[] = "emotion";
    size_t n = sizeof emotion - 1;
    line = trimmed(line);
    if (!*line)
        return CONDUCTOR_NOTHING;
    if (is_one_of(line, ends))
        return CONDUCTOR_QUIT;
    if (str_starts(line, emotion) && (!line[n] || strchr(blanks, line[n])))
        line = trimmed(line + n);
    if (composer_wish(line, &k->mood, e))
        return CONDUCTOR_WISH;
    (void)err_trail(e, "say 'emotion NAME', 'emotion V,A' or 'quit'");
    return CONDUCTOR_WRONG;
}

conductor_says conductor_byte(conductor *k, char byte, err *e)
{
    if (byte != '\n') {
        bool room = k->n < CONDUCTOR_LINE - 1 && byte;
        if (room)
            k->line[k->n++] = byte;
        k->longer |= !room;
        return CONDUCTOR_NOTHING;
    }
    bool longer = k->longer;
    k->line[k->n] = 0;
    k->n = 0, k->longer = false;
    if (!longer)
        return say(k, k->line, e);
    err_set(e, ERR_USAGE, "a line is shorter than %d characters, and has no byte of 0",
            CONDUCTOR_LINE);
    return CONDUCTOR_WRONG;
}

static double around_middle(int value)
{
    return value < 64 ? (value - 64) / 64.0 : (value - 64) / 63.0;
}

conductor_says conductor_control(conductor *k, const uint8_t bytes[3])
{
    int value = bytes[2] & 127;
    score_wish *m = &k->mood;
    if ((bytes[0] & 0xf0) != MIDI_CONTROL)
        return CONDUCTOR_NOTHING;
    if (bytes[1] == CONDUCTOR_VALENCE)
        m->valence = around_middle(value);
    else if (bytes[1] == CONDUCTOR_AROUSAL)
        m->arousal = around_middle(value);
    else if (bytes[1] == CONDUCTOR_INTENSITY)
        m->intensity = value / 127.0;
    else
        return CONDUCTOR_NOTHING;
    snprintf(m->emotion, sizeof m->emotion, "%.3f,%.3f,%.3f", m->valence, m->arousal, m->intensity);
    return CONDUCTOR_WISH;
}
