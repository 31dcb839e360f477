// SPDX-License-Identifier: GPL-3.0-or-later
// composer.c: what both ways of making music share: bar lines, wishes, being ahead (composer.h).
#include "perform/composer.h"

#include <stdio.h>
#include <string.h>

#include "compose/song_plan.h"

enum { NANO = 1000000000 };
// Music that comes too late begins anew so many seconds behind now.
#define BREATH 0.05

bool composer_wish(const char *words, score_wish *out, err *e)
{
    arena a = {.name = "wish"};
    song_plan p;
    bool ok =
        (strlen(words) < SCORE_WORDS ||
         err_set(e, ERR_USAGE, "an emotion is said in fewer than %d characters, not '%.40s...'",
                 SCORE_WORDS, words)) &&
        song_plan_make(&(song_plan_wish){.emotion = words, .bars = 1}, &a, &p, e);
    if (ok) {
        *out = (score_wish){.valence = p.valence, .arousal = p.arousal, .intensity = p.intensity};
        snprintf(out->emotion, sizeof out->emotion, "%s", words);
    }
    arena_free(&a);
    return ok;
}

composer *composer_open(const composer_setup *o, score *s, arena *a, err *e)
{
    composer *c = NEW(a, composer, 1);
    *c = (composer){.setup = *o, .score = s, .arena = a, .mood = o->begin};
    if (o->player ? composer_tokens_open(c, e) : composer_rules_open(c, e))
        return c;
    composer_close(c);
    return NULL;
}

void composer_close(composer *c)
{
    if (c && c->close)
        c->close(c);
}

// All that comes is later by as much as it would have been late.
static void catch_breath(composer *c, double now)
{
    if (c->made + c->late >= now || c->made == 0)
        return;
    c->late = now + BREATH - c->made;
    atomic_fetch_add(&c->starved, 1);
}

composer_did composer_step(composer *c, double now, err *e)
{
    if (c->made + c->late >= now + c->setup.ahead * c->bar_seconds && c->bar_end > 0)
        return COMPOSER_IDLE;
    catch_breath(c, now);
    return c->step(c, e);
}

composer_counts composer_told(composer *c)
{
    return (composer_counts){.tokens = atomic_load(&c->tokens),
                             .seconds = (double)atomic_load(&c->nanoseconds) / NANO,
                             .starved = atomic_load(&c->starved)};
}

double composer_reaction(composer *c)
{
    return (double)atomic_load(&c->reaction);
}

bool composer_listen(composer *c)
{
    bool any = false;
    for (const score_wish *w; (w = ring_read(&c->score->wishes)); any = true) {
        c->mood = *w;
        ring_done(&c->score->wishes);
    }
    return any;
}

void composer_bar(composer *c, double seconds, int beats)
{
    score_put_bar(c->score, &(score_bar){.at = c->bar_end + c->late,
                                         .seconds = seconds,
                                         .beats = beats,
                                         .valence = c->mood.valence,
                                         .arousal = c->mood.arousal,
                                         .intensity = c->mood.intensity});
    c->bar_seconds = seconds;
    atomic_store(&c->reaction, (float)((c->setup.ahead + 1) * seconds));
    c->bar_end += seconds;
}

void composer_put(composer *c, double at, int status, int a, int b)
{
    score_put(c->score, &(score_event){.at = at + c->late,
                                       .bytes = {(uint8_t)status, (uint8_t)a, (uint8_t)b}});
}
