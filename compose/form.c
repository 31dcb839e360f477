// SPDX-License-Identifier: GPL-3.0-or-later
// form.c: sections, twins, rhythms, slots (form.h).
#include "compose/form.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { OPEN, CLOSE, SECTION = 8, TURN = 2 }; // TURN: the bar before a phrase's last

static const struct {
    int beats, where;
    const char *pattern;
} rhythms[] = {
#define RHYTHM(beats, where, pattern) {beats, where, pattern},
#include "compose/rhythms.def"
#undef RHYTHM
};
enum { RHYTHMS = sizeof rhythms / sizeof *rhythms };

static int count_notes(const char *pattern)
{
    int n = 0;
    for (; *pattern; pattern++)
        n += *pattern == 'x';
    return n;
}

// ---- Sections

static const char sections[] = "AABACABA";

// The first bar of the first section that is called so; its own where it is the first.
static int first_of(char section, int length)
{
    return (int)(strchr(sections, section) - sections) * length;
}

static int twin_of(int bar, int length)
{
    int place = bar % length, phrase = place / FORM_PHRASE, at = place % FORM_PHRASE;
    int section = bar / length % (int)(sizeof sections - 1),
        before = first_of(sections[section], length) + place;
    if (before < bar)
        return before;
    // Within a section: the second phrase begins as the first; a third is free.
    return phrase == 1 && at < TURN ? bar - FORM_PHRASE : -1;
}

static form_bar lay_bar(const song_plan *p, int bar, int length)
{
    int place = bar % length;
    bool last = bar == p->bars - 1;
    form_bar b = {.section = sections[bar / length % (int)(sizeof sections - 1)],
                  .twin = twin_of(bar, length)};
    b.closes = last || place == length - 1;
    b.ends = b.closes || place % FORM_PHRASE == FORM_PHRASE - 1;
    return b;
}

// ---- Rhythm

static double wanted_notes(const song_plan *p, char section, bool ends)
{
    double n = 4 + 2 * p->arousal + genre_at(p->genre)->dense;
    n += section == 'B' ? 1 : section == 'C' ? -1 : 0;
    n = ends ? n / 2 : n;
    return fmax(1, n * p->beats / 4);
}

static int draw_rhythm(const song_plan *p, rng dice, int bar, const form_bar *b)
{
    double weight[RHYTHMS], sum = 0, want = wanted_notes(p, b->section, b->ends);
    for (int i = 0; i < RHYTHMS; i++) {
        double d = count_notes(rhythms[i].pattern) - want;
        bool fits = rhythms[i].beats == p->beats && rhythms[i].where == (b->ends ? CLOSE : OPEN);
        sum += weight[i] = fits ? exp(-d * d / 2) : 0;
    }
    double u = sum * (double)rng_uniform(dice, (uint64_t)bar, 0);
    int chosen = -1;
    for (int i = 0; i < RHYTHMS; i++) {
        if (weight[i] > 0 && (chosen < 0 || u >= 0))
            chosen = i;
        u -= weight[i];
    }
    CHECK(chosen >= 0);
    return chosen;
}

// A bar without a twin; the turn of a phrase takes up how it began half of the time.
static int choose_rhythm(const song_plan *p, rng dice, const form_bar *bars, int bar)
{
    const form_bar *b = &bars[bar];
    if (b->twin >= 0 && bars[b->twin].ends == b->ends)
        return bars[b->twin].rhythm;
    if (!b->ends && bar % FORM_PHRASE == TURN && rng_uniform(dice, (uint64_t)bar, 1) < 0.5f)
        return bars[bar - TURN].rhythm;
    return draw_rhythm(p, dice, bar, b);
}

// ---- Slots

static double stress_of(int sixteenth, int beats)
{
    return sixteenth == 0                 ? 1
           : beats == 4 && sixteenth == 8 ? 0.8
           : sixteenth % 4 == 0           ? 0.5
           : sixteenth % 2 == 0           ? 0.25
                                          : 0.1;
}

static void lay_slots(const song_plan *p, form *f, int bar)
{
    const form_bar *b = &f->bars[bar];
    const char *s = rhythms[b->rhythm].pattern;
    size_t first = f->n;
    f->first[bar] = first;
    for (int i = 0; s[i]; i++)
        if (s[i] == 'x') {
            size_t held = 1 + strspn(s + i + 1, "-");
            f->slots[f->n++] = (form_slot){.bar = bar,
                                           .twin = -1,
                                           .quarter = bar * p->beats + i / 4.0,
                                           .quarters = (double)held / 4,
                                           .stress = stress_of(i, p->beats)};
        }
    for (size_t i = first; b->twin >= 0 && f->bars[b->twin].rhythm == b->rhythm && i < f->n; i++)
        f->slots[i].twin = (int)(f->first[b->twin] + i - first);
    f->slots[f->n - 1].ends = b->ends;
    f->first[bar + 1] = f->n;
}

form form_of(arena *a, const song_plan *p)
{
    size_t n = (size_t)p->bars;
    form f = {.bars = NEW(a, form_bar, n),
              .slots = NEW(a, form_slot, n * 16),
              .first = NEW(a, size_t, n + 1)};
    rng dice = rng_stream(p->seed, "melody rhythm", 0);
    int section = genre_at(p->genre)->section;
    for (int bar = 0; bar < p->bars; bar++) {
        f.bars[bar] = lay_bar(p, bar, section ? section : SECTION);
        f.bars[bar].rhythm = choose_rhythm(p, dice, f.bars, bar);
        lay_slots(p, &f, bar);
    }
    return f;
}
