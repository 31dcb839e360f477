// SPDX-License-Identifier: GPL-3.0-or-later
// player.c: opening, what the model makes of it, ending (player.h).
#include "compose/player.h"

#include <math.h>
#include <string.h>

#include "compose/band.h"
#include "data/midi/midi_cut.h"
#include "data/midi/midi_write.h"
#include "data/music/tokens.h"
#include "infer/piece.h"

// EARLY: ticks by which a groove may play a note of a bar before its bar line.
enum { PLAYER = BAND_DRUMS, PARTS = BAND_PARTS, EARLY = MIDI_WRITE_TICKS * 3 / 16 };

typedef struct bars {
    const piece *by;
    const uint16_t *scale;
    int n;
    double seconds; // of one
} bars;

// Notes outside the bar's scale are not struck, unless none could be.
static void within_scale(void *user, double seconds, float *logits)
{
    const bars *b = user;
    int bar = PLAYER_OPENING + (int)(seconds / b->seconds);
    uint16_t scale = b->scale[bar < b->n ? bar : b->n - 1];
    bool some = false;
    for (int pitch = 0; pitch < 128; pitch++)
        some = some ||
               (mask_has(scale, pitch + 12 - b->by->up) && logits[TOKENS_ON + pitch] > -INFINITY);
    for (int pitch = 0; some && pitch < 128; pitch++)
        if (!mask_has(scale, pitch + 12 - b->by->up))
            logits[TOKENS_ON + pitch] = -INFINITY;
}

// The arrangement's bars from one tick to another, all but drums; how many notes.
static size_t copy_notes(arrangement *out, const midi_song *s, uint32_t from, uint32_t to)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_notes; i++) {
        const midi_note *x = &s->notes[i];
        uint64_t at = (uint64_t)x->start_tick + EARLY;
        if (at < from || at >= to || x->instrument == BAND_DRUMS)
            continue;
        n++;
        if (out)
            arrange_note(out, x->instrument, x->start_tick / (double)MIDI_WRITE_TICKS,
                         (x->end_tick - x->start_tick) / (double)MIDI_WRITE_TICKS, x->pitch,
                         x->velocity);
    }
    return n;
}

static bool play(composition *c, const midi_song *opening, const float *vector, bars *b, piece *p,
                 err *e)
{
    *p = (piece){.arena = c->arena,
                 .env = c->env,
                 .by = c->player,
                 .prompt = opening,
                 .sampling = c->sampling,
                 .precision = c->precision,
                 .seconds = (b->n - PLAYER_OPENING - 1) * b->seconds,
                 .guidance = c->guidance,
                 .tonic = c->plan->root + 1,
                 .longest = 2 * b->seconds,
                 .restrain = within_scale,
                 .user = b};
    b->by = p;
    p->style = (arrange_style){.valence = c->plan->valence,
                               .arousal = c->plan->arousal,
                               .tempo = c->plan->tempo,
                               .seed = c->plan->seed};
    memcpy(p->vector, vector, sizeof p->vector);
    if (!piece_make(p, 1, e))
        return false;
    c->drawn += p->drawn;
    return true;
}

arrangement *player_go_on(composition *c, const arrangement *r, const float *vector,
                          const uint16_t *scale, err *e)
{
    const song_plan *pl = c->plan;
    uint32_t bar = (uint32_t)(pl->beats * MIDI_WRITE_TICKS), from = PLAYER_OPENING * bar,
             end = (uint32_t)(pl->bars - 1) * bar;
    bars b = {.scale = scale, .n = pl->bars, .seconds = 60 * pl->beats / pl->tempo};
    arrangement *open = arrange_blank(c->arena, &r->style, pl->bars, pl->beats, PARTS,
                                      copy_notes(NULL, r->song, 0, from) + 1);
    piece p;
    copy_notes(open, r->song, 0, from), arrange_settle(open);
    if (!play(c, midi_cut(c->arena, open->song, 0, from), vector, &b, &p, e))
        return NULL;
    arrangement *out = arrange_blank(c->arena, &r->style, pl->bars, pl->beats, PARTS,
                                     r->song->n_notes + p.song->n_notes);
    memcpy(out->song->instruments, r->song->instruments, BAND_DRUMS * sizeof(midi_instrument));
    out->song->keys = r->song->keys, out->song->n_keys = r->song->n_keys;
    for (int i = 0; i < BAND_DRUMS; i++)
        out->song->instruments[i].notes = 0;
    copy_notes(out, r->song, 0, from), copy_notes(out, r->song, end, UINT32_MAX);
    for (size_t i = 0; i < p.song->n_notes; i++) {
        const midi_note *n = &p.song->notes[i];
        uint32_t start = n->start_tick + from, stop = n->end_tick + from;
        stop = stop < end ? stop : end;
        if (start < stop)
            arrange_note(out, PLAYER, start / (double)MIDI_WRITE_TICKS,
                         (stop - start) / (double)MIDI_WRITE_TICKS, n->pitch, n->velocity);
    }
    arrange_settle(out);
    return out;
}
