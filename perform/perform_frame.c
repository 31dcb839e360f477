// SPDX-License-Identifier: GPL-3.0-or-later
// perform_frame.c: what happens in a sixtieth of a second (perform_internal.h). Nothing here takes
// memory, and nothing waits for another thread but the parallel strategy, for its half.
#include <string.h>

#include "base/hw.h"
#include "perform/perform_internal.h"

enum { ALL_NOTES_OFF = 123 };
#define MS 1e3

double perform_period(const perform *p)
{
    return 1.0 / p->setup.fps;
}

// ---- Music that is due

static void send(perform *p, const uint8_t bytes[3], double at)
{
    if (p->setup.port)
        (void)midi_port_send(p->setup.port, bytes, p->begin + at + perform_period(p));
}

// A note that is struck again while it sounds ends there, and then of two ends the last one counts.
static void sound(perform *p, const score_event *x)
{
    int kind = x->bytes[0] & 0xf0, channel = x->bytes[0] & 15;
    uint8_t *sounds = &p->sounds[channel][x->bytes[1] & 127];
    const uint8_t off[3] = {(uint8_t)(MIDI_NOTE_OFF | channel), x->bytes[1], 0};
    if (kind == MIDI_NOTE_ON && (*sounds)++)
        send(p, off, x->at);
    if (kind == MIDI_NOTE_OFF && (!*sounds || --*sounds))
        return;
    send(p, x->bytes, x->at);
}

static void give(ring *r, const void *item)
{
    void *to = ring_write(r);
    if (to)
        memcpy(to, item, r->size), ring_written(r);
}

static void dispatch(perform *p, double until)
{
    for (const score_bar *b; (b = ring_read(&p->score.bars)) && b->at < until;) {
        give(&p->lines, b);
        ring_done(&p->score.bars);
    }
    for (const score_event *x; (x = ring_read(&p->score.events)) && x->at < until;) {
        sound(p, x);
        if (p->eye)
            give(&p->to_eye, x);
        ring_done(&p->score.events);
    }
}

void perform_hush(perform *p)
{
    for (int i = 0; i < 16 * 128; i++) {
        const uint8_t off[3] = {(uint8_t)(MIDI_NOTE_OFF | i / 128), (uint8_t)(i % 128), 0},
                      all[3] = {(uint8_t)(MIDI_CONTROL | i / 128), ALL_NOTES_OFF, 0};
        if (p->sounds[i / 128][i % 128])
            send(p, off, p->ended);
        if (i % 128 == 127)
            send(p, all, p->ended);
    }
    memset(p->sounds, 0, sizeof p->sounds);
}

// ---- Composing and looking, by whichever thread

bool perform_compose(perform *p, double budget_ms)
{
    double since = hw_seconds(), now = (double)atomic_load(&p->playing) * perform_period(p);
    err e = {0};
    composer_did did;
    do
        did = composer_step(p->composer, now, &e);
    while (did == COMPOSER_WORKED && MS * (hw_seconds() - since) < budget_ms);
    if (did == COMPOSER_FAILED)
        perform_fail(p, &e);
    return did == COMPOSER_WORKED;
}

void perform_look(perform *p)
{
    double since = hw_seconds(), until = (double)(atomic_load(&p->asked) + 1) * perform_period(p);
    perform_cloud *to = ring_write(&p->clouds);
    err e = {0};
    for (const score_bar *b; (b = ring_read(&p->lines)) && b->at < until; ring_done(&p->lines))
        eye_bar(p->eye, b);
    for (const score_event *x; (x = ring_read(&p->to_eye)) && x->at < until; ring_done(&p->to_eye))
        eye_event(p->eye, x);
    if (!to)
        return; // four are there that nobody has shown
    if (!eye_look(p->eye, until, &to->cloud, &e)) {
        perform_fail(p, &e);
        return;
    }
    to->ms = (float)(MS * (hw_seconds() - since));
    ring_written(&p->clouds);
}

static void one_of_two(void *arg, int index, int count)
{
    perform *p = arg;
    if (index == 0 && p->eye)
        perform_look(p);
    if (index == count - 1)
        perform_compose(p, meter_budgets[METER_MIDI].ms);
}

// Sequential and without a clock there is no hurry.
static void work(perform *p)
{
    atomic_store(&p->playing, p->tick);
    atomic_store(&p->asked, p->tick);
    if (p->setup.strategy == PERFORM_PIPELINED) {
        bell_ring(&p->ticked);
    } else if (p->setup.strategy == PERFORM_PARALLEL) {
        threads_run(p->pair, 2, one_of_two, p);
    } else {
        perform_compose(p, p->setup.clockless ? 1e9 : meter_budgets[METER_MIDI].ms);
        if (p->eye)
            perform_look(p);
    }
}

// ---- The picture

// The newest cloud stays in its ring while it is shown.
static bool take_newest(perform *p, float *ms)
{
    bool fresh = false;
    for (;;) {
        unsigned waiting = p->clouds.count - ring_room(&p->clouds);
        if (waiting <= (p->shown ? 1u : 0u))
            return fresh;
        if (p->shown)
            ring_done(&p->clouds);
        p->shown = ring_read(&p->clouds);
        *ms = p->shown->ms;
        fresh = true;
    }
}

static void draw(perform *p, film_frame *to, double now)
{
    const eye_cloud *c = p->shown ? &p->shown->cloud : NULL;
    bool blank = !c || c->blank;
    to->number = p->tick, to->time = now;
    to->blank = blank;
    to->valence = c ? c->valence : 0, to->arousal = c ? c->arousal : 0;
    if (film_wants_points(p->setup.film)) {
        if (!blank)
            memcpy(to->points, c->points, sizeof c->points);
        return;
    }
    double past = blank ? 0 : (now - c->to) / (c->to - c->from);
    canvas_draw(p->canvas, blank ? NULL : c->points, (float)past, to->rgb);
}

// Milliseconds of drawing; -1: there is no place for a frame.
static float show(perform *p, double now)
{
    film_frame *to = p->setup.film ? film_next(p->setup.film) : NULL;
    double since = hw_seconds();
    if (!to)
        return -1;
    draw(p, to, now);
    film_push(p->setup.film);
    return (float)(MS * (hw_seconds() - since));
}

// ---- A frame

static float composing_ms(perform *p)
{
    double now = composer_told(p->composer).seconds, took = now - p->token_seconds;
    p->token_seconds = now;
    return (float)(MS * took);
}

// What no part accounts for. Of the pipelined strategy only drawing is within the frame; of the
// parallel one composing and the cloud go on at the same time.
static float rest_of(const perform *p, const meter_frame *f)
{
    float rest = f->whole - (f->part[METER_DRAW] > 0 ? f->part[METER_DRAW] : 0),
          midi = f->part[METER_MIDI], cloud = f->fresh ? f->part[METER_CLOUD] : 0;
    if (p->setup.strategy == PERFORM_SEQUENTIAL)
        rest -= midi + cloud;
    if (p->setup.strategy == PERFORM_PARALLEL)
        rest -= midi > cloud ? midi : cloud;
    return rest > 0 ? rest : 0;
}

void perform_frame(perform *p)
{
    double period = perform_period(p), from = (double)p->tick * period,
           due = p->setup.clockless ? hw_seconds() : p->begin + from;
    meter_frame f = {.part = {[METER_CLOUD] = -1}};
    dispatch(p, from + period);
    work(p);
    f.fresh = take_newest(p, &f.part[METER_CLOUD]);
    f.part[METER_DRAW] = show(p, from + period);
    double end = hw_seconds();
    f.whole = (float)(MS * (end - due));
    f.late = !p->setup.clockless && end > due + period;
    f.skipped = p->skipped;
    f.part[METER_MIDI] = composing_ms(p);
    f.part[METER_REST] = p->setup.clockless ? -1 : rest_of(p, &f);
    p->ended = from + period;
    (void)meter_put(p->meter, &f);
}
