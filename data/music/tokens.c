// SPDX-License-Identifier: GPL-3.0-or-later
// tokens.c: the settings of tokens, and the way back to notes (Performance.to_sequence of
// note-seq's performance_lib.py).
#include "data/music/tokens.h"

#include "base/order.h"

const config_key tokens_table[] = {
    {"tokens.dialect", CONFIG_ENUM, KEY_AT(tokens_settings, dialect), .choices = TOKENS_DIALECT,
     .help = "which numbers stand for which events"},
    {"tokens.drums", CONFIG_BOOL, KEY_AT(tokens_settings, drums),
     .help = "notes of channel 10 too"},
    {"tokens.to_c", CONFIG_BOOL, KEY_AT(tokens_settings, to_c), .unsaid = "false",
     .help = "each song is transposed so that its tonic is C (docs/emotion.md)"},
};
const size_t tokens_table_n = sizeof tokens_table / sizeof *tokens_table;

enum { NONE = -1, PITCHES = 128 };

typedef struct open_note {
    int64_t step;
    int32_t next; // younger one of the pitch
    uint8_t velocity;
} open_note;

typedef struct decoder {
    open_note *open; // [all note-ons]
    int32_t n_open, first[PITCHES], last[PITCHES];
    int64_t step;
    uint8_t velocity;
    tokens_note *notes;
    size_t n_notes;
} decoder;

static void strike(decoder *d, int pitch)
{
    int32_t i = d->n_open++;
    d->open[i] = (open_note){d->step, NONE, d->velocity};
    if (d->first[pitch] == NONE)
        d->first[pitch] = i;
    else
        d->open[d->last[pitch]].next = i;
    d->last[pitch] = i;
}

static void release(decoder *d, int pitch)
{
    int32_t i = d->first[pitch];
    if (i == NONE)
        return;
    const open_note *o = &d->open[i];
    d->first[pitch] = o->next;
    if (o->step < d->step)
        d->notes[d->n_notes++] =
            (tokens_note){(double)o->step / TOKENS_STEPS, (double)d->step / TOKENS_STEPS,
                          (uint8_t)pitch, o->velocity};
}

static void sort(decoder *d, arena *work, tokens_note *out)
{
    order_item *items = NEW(work, order_item, 2 * d->n_notes + 1);
    for (size_t i = 0; i < d->n_notes; i++)
        items[i] = (order_item){(uint64_t)(d->notes[i].start * TOKENS_STEPS + 0.5) << 7 |
                                    d->notes[i].pitch,
                                (uint32_t)i};
    order_items(items, items + d->n_notes, d->n_notes);
    for (size_t i = 0; i < d->n_notes; i++)
        out[i] = d->notes[items[i].index];
}

static bool play(decoder *d, const uint16_t *tokens, size_t n, err *e)
{
    for (size_t i = 0; i < n; i++) {
        int x = tokens[i];
        if (x >= TOKENS_COUNT)
            return err_set(e, ERR_VALUE,
                           "token %zu is %d, and the dialect " TOKENS_DIALECT
                           " ends at %d; the tokens are of another dialect",
                           i, x, TOKENS_COUNT - 1);
        if (x >= TOKENS_VELOCITY)
            d->velocity = (uint8_t)(1 + (x - TOKENS_VELOCITY) * TOKENS_BIN);
        else if (x >= TOKENS_SHIFT)
            d->step += x - TOKENS_SHIFT + 1;
        else if (x >= TOKENS_OFF)
            release(d, x - TOKENS_OFF);
        else
            strike(d, x);
    }
    for (int pitch = 0; pitch < PITCHES; pitch++)
        while (d->first[pitch] != NONE)
            release(d, pitch);
    return true;
}

bool tokens_decode(const uint16_t *tokens, size_t n, arena *a, tokens_note **notes, size_t *n_notes,
                   err *e)
{
    arena work = {.name = "tokens"};
    size_t ons = 0;
    for (size_t i = 0; i < n; i++)
        ons += tokens[i] < TOKENS_OFF;
    decoder d = {
        .open = NEW(&work, open_note, ons), .notes = NEW(&work, tokens_note, ons), .velocity = 100};
    for (int pitch = 0; pitch < PITCHES; pitch++)
        d.first[pitch] = NONE;
    bool ok = play(&d, tokens, n, e);
    if (ok) {
        *notes = NEW(a, tokens_note, d.n_notes);
        *n_notes = d.n_notes;
        sort(&d, &work, *notes);
    }
    arena_free(&work);
    return ok;
}
