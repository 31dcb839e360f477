// SPDX-License-Identifier: GPL-3.0-or-later
// perform.c: the threads of a performance and their end (perform.h); a frame is in
// perform_frame.c.
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "base/hw.h"
#include "base/str.h"
#include "perform/perform_internal.h"

static const char *const strategies[] = {
    [PERFORM_PIPELINED] = "pipelined",
    [PERFORM_PARALLEL] = "parallel",
    [PERFORM_SEQUENTIAL] = "sequential",
};
enum {
    STRATEGIES = sizeof strategies / sizeof *strategies,
    FRAMES_PRIORITY = 10,
    EYE_PRIORITY = 9,
    COMPOSER_PRIORITY = 8
};
#define NAP    0.002  // seconds between two looks of a composer that has time
#define BREATH 0.0005 // of one that has none: what asks for real time leaves some to others
#define SLICE  0.05   // of perform_tend without a clock

bool perform_strategy_find(const char *name, perform_strategy *out, err *e)
{
    for (int i = 0; i < STRATEGIES; i++)
        if (!strcmp(strategies[i], name)) {
            *out = (perform_strategy)i;
            return true;
        }
    const char *near = str_nearest(name, strategies, STRATEGIES);
    return err_set(e, ERR_USAGE,
                   "unknown strategy '%.60s'%s%s%s; there are pipelined, parallel and sequential",
                   name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

// The first failure is kept.
void perform_fail(perform *p, const err *why)
{
    if (!atomic_exchange(&p->failed, true))
        p->fault = *why;
    atomic_store(&p->over, true);
}

// ---- Opening

static bool compose_ahead(perform *p, err *e)
{
    composer_did did;
    do {
        did = composer_step(p->composer, 0, e);
        recorder_take(p->recorder, &p->score);
    } while (did == COMPOSER_WORKED);
    return did == COMPOSER_IDLE;
}

static bool open_picture(perform *p, err *e)
{
    const perform_setup *o = &p->setup;
    if (!o->film)
        return true;
    if (!film_wants_points(o->film))
        p->canvas = canvas_open(o->width, o->height, p->arena);
    return (p->eye = eye_open(&o->eye, p->arena, e)) != NULL;
}

perform *perform_open(const perform_setup *o, arena *a, err *e)
{
    perform *p = NEW(a, perform, 1);
    *p = (perform){.setup = *o, .arena = a, .ticked = BELL_STILL};
    if (o->clockless)
        p->setup.strategy = PERFORM_SEQUENTIAL;
    score_open(&p->score, a);
    ring_open(&p->to_eye, NEW(a, score_event, PERFORM_TO_EYE), sizeof(score_event), PERFORM_TO_EYE);
    ring_open(&p->lines, NEW(a, score_bar, SCORE_BARS), sizeof(score_bar), SCORE_BARS);
    ring_open(&p->clouds, NEW(a, perform_cloud, PERFORM_CLOUDS), sizeof(perform_cloud),
              PERFORM_CLOUDS);
    p->recorder = recorder_open(a), p->meter = meter_open(a);
    bool ok = open_picture(p, e) &&
              (p->composer = composer_open(&o->composer, &p->score, a, e)) != NULL &&
              compose_ahead(p, e);
    if (ok && p->setup.strategy == PERFORM_PARALLEL)
        ok = (p->pair = threads_open(2, e)) != NULL;
    if (ok)
        return p;
    perform_close(p);
    return NULL;
}

void perform_close(perform *p)
{
    if (!p)
        return;
    composer_close(p->composer);
    eye_close(p->eye);
    recorder_close(p->recorder);
    threads_close(p->pair);
}

// ---- Threads

static void *compose(void *arg)
{
    perform *p = arg;
    hw_flush_denormals();
    while (!atomic_load(&p->over)) {
        bool busy = perform_compose(p, meter_budgets[METER_MIDI].ms);
        hw_sleep(busy ? BREATH : NAP);
    }
    return NULL;
}

static void *look(void *arg)
{
    perform *p = arg;
    long long done = -1;
    hw_flush_denormals();
    while (!atomic_load(&p->over)) {
        bell_wait(&p->ticked, &p->seen);
        long long asked = atomic_load(&p->asked);
        if (asked > done)
            perform_look(p), done = asked;
    }
    return NULL;
}

static bool time_is_over(const perform *p)
{
    double seconds = p->setup.seconds;
    return seconds > 0 && (double)p->tick * perform_period(p) >= seconds - 1e-9;
}

// Ticks that passed while a frame was made have none.
static void *make_frames(void *arg)
{
    perform *p = arg;
    double period = perform_period(p);
    hw_flush_denormals();
    while (!atomic_load(&p->over) && !time_is_over(p)) {
        hw_sleep(p->begin + (double)p->tick * period - hw_seconds());
        perform_frame(p);
        int64_t next = (int64_t)((hw_seconds() - p->begin) / period);
        p->skipped = next > p->tick + 1 ? (int)(next - p->tick - 1) : 0;
        p->tick += 1 + p->skipped;
    }
    atomic_store(&p->over, true);
    return NULL;
}

// Signals are the main thread's.
static bool start(pthread_t *t, void *(*run)(void *), perform *p, err *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(t, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return !failed || err_set(e, ERR_MEMORY, "no thread can be started: %s", strerror(failed));
}

static bool hurry(pthread_t t, int priority)
{
    const struct sched_param wish = {.sched_priority = priority};
    return pthread_setschedparam(t, SCHED_FIFO, &wish) == 0;
}

static void end_threads(perform *p)
{
    atomic_store(&p->over, true);
    bell_ring(&p->ticked);
    if (p->frames_started)
        pthread_join(p->frames_thread, NULL);
    if (p->eye_started)
        pthread_join(p->eye_thread, NULL);
    if (p->composer_started)
        pthread_join(p->composer_thread, NULL);
    p->frames_started = p->eye_started = p->composer_started = false;
}

static bool start_threads(perform *p, err *e)
{
    bool pipelined = p->setup.strategy == PERFORM_PIPELINED;
    if (pipelined && p->eye && !(p->eye_started = start(&p->eye_thread, look, p, e)))
        return false;
    if (pipelined && !(p->composer_started = start(&p->composer_thread, compose, p, e)))
        return false;
    return (p->frames_started = start(&p->frames_thread, make_frames, p, e));
}

bool perform_start(perform *p, err *e)
{
    p->begin = hw_seconds();
    p->token_seconds = composer_told(p->composer).seconds;
    if (p->setup.clockless)
        return true;
    if (!start_threads(p, e)) {
        end_threads(p);
        return false;
    }
    if (p->setup.realtime)
        p->realtime = hurry(p->frames_thread, FRAMES_PRIORITY) &&
                      (!p->eye_started || hurry(p->eye_thread, EYE_PRIORITY)) &&
                      (!p->composer_started || hurry(p->composer_thread, COMPOSER_PRIORITY));
    return true;
}

bool perform_is_realtime(const perform *p)
{
    return p->realtime;
}

bool perform_runs(const perform *p)
{
    return !atomic_load(&p->over);
}

// ---- The thread that may wait

double perform_wish(perform *p, const score_wish *w)
{
    score_wish *to = ring_write(&p->score.wishes);
    if (!to)
        return -1;
    *to = *w;
    ring_written(&p->score.wishes);
    return composer_reaction(p->composer);
}

static void make_some(perform *p)
{
    for (double since = hw_seconds(); hw_seconds() - since < SLICE && perform_runs(p);) {
        if (time_is_over(p)) {
            atomic_store(&p->over, true);
            return;
        }
        perform_frame(p);
        p->tick++;
        recorder_take(p->recorder, &p->score);
    }
}

void perform_tend(perform *p)
{
    if (p->setup.clockless)
        make_some(p);
    recorder_take(p->recorder, &p->score);
    meter_take(p->meter);
}

meter *perform_meter(perform *p)
{
    return p->meter;
}

composer_counts perform_composed(perform *p)
{
    return composer_told(p->composer);
}

bool perform_stop(perform *p, err *e)
{
    end_threads(p);
    perform_hush(p);
    recorder_take(p->recorder, &p->score);
    meter_take(p->meter);
    if (atomic_load(&p->failed))
        *e = p->fault;
    return !atomic_load(&p->failed);
}

double perform_seconds(const perform *p)
{
    return p->ended;
}

midi_song *perform_song(perform *p, arena *a)
{
    return recorder_song(p->recorder, p->ended, a);
}
