// SPDX-License-Identifier: GPL-3.0-or-later
// kmidi.c: include/kmidi.h over serve/live.h: what is given is checked, sentences are copied.
//
// A model counts its sessions and goes with the last of them. A session's handle is a few bytes of
// its model's memory that stay: it can say that it was closed for as long as that is there.
#include "include/kmidi.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/live.h"

enum { RATE_LEAST = 1000, RATE_MOST = 768000, BLOCK_MOST = 65536 };

struct kmidi_model {
    arena memory, handles;
    trained *t;
    int sessions;
    bool closed;
};

struct kmidi_session {
    kmidi_model *m;
    live *live; // NULL: closed
    arena memory;
    int room;
};

int kmidi_version(void)
{
    return KMIDI_VERSION;
}

const char *kmidi_status_text(kmidi_status status)
{
    static const char *const texts[] = {
        [-KMIDI_OK] = "done",
        [-KMIDI_NOTHING] = "a pointer is NULL",
        [-KMIDI_CLOSED] = "the session was closed",
        [-KMIDI_SETUP] = "a rate from 1000 to 768000 and a block of 1 to 65536 samples are needed",
        [-KMIDI_COUNT] = "not as many numbers as the model takes, or more than a block",
        [-KMIDI_ROOM] = "there is less room for answers than kmidi_room says",
        [-KMIDI_VALUE] = "an input is no number, or out of range",
        [-KMIDI_FILE] = "a file cannot be read, or is damaged",
        [-KMIDI_UNFIT] = "the model is none that this library offers, or knows nothing of audio",
        [-KMIDI_MEMORY] = "there is no memory",
        [-KMIDI_FULL] = "there is no place for another request",
    };
    return status <= KMIDI_OK && status >= KMIDI_FULL ? texts[-status] : "no such status";
}

static kmidi_status say(kmidi_status status, char *why, const char *text)
{
    if (why)
        snprintf(why, KMIDI_TEXT, "%.*s", KMIDI_TEXT - 1, text ? text : kmidi_status_text(status));
    return status;
}

static kmidi_status status_of(const err *e)
{
    return e->code == ERR_MISMATCH ? KMIDI_UNFIT
           : e->code == ERR_MEMORY ? KMIDI_MEMORY
                                   : KMIDI_FILE;
}

// ---- Models

static bool open_trained(kmidi_model *m, const char *path, const char *adapter, err *e)
{
    lora_use use = {adapter, 1};
    m->t = trained_open(path, &m->memory, e);
    if (!m->t || (adapter && !trained_adapt(m->t, &use, 1, e)))
        return false;
    if (!live_offers(m->t->model)) // the sentence is live_open's
        return live_open(&(live_setup){.trained = m->t}, &m->memory, e) != NULL;
    return !live_hears(m->t->model) || trained_mel(m->t, e);
}

static void release(kmidi_model *m)
{
    trained_close(m->t);
    arena_free(&m->memory);
    arena_free(&m->handles);
    free(m);
}

kmidi_status kmidi_open(const char *path, const char *adapter, kmidi_model **out, char *why)
{
    err e = {0};
    if (out)
        *out = NULL;
    if (!path || !out)
        return say(KMIDI_NOTHING, why, NULL);
    kmidi_model *m = calloc(1, sizeof *m);
    if (!m)
        return say(KMIDI_MEMORY, why, NULL);
    m->memory.name = "model", m->handles.name = "sessions";
    if (!open_trained(m, path, adapter, &e)) {
        release(m);
        return say(status_of(&e), why, e.text);
    }
    *out = m;
    return say(KMIDI_OK, why, "");
}

void kmidi_close(kmidi_model *m)
{
    if (!m)
        return;
    m->closed = true;
    if (!m->sessions)
        release(m);
}

const char *kmidi_name(const kmidi_model *m)
{
    return m ? m->t->model->name : NULL;
}

int kmidi_labels(const kmidi_model *m)
{
    return m && m->t->labels ? m->t->classes : 0;
}

const char *kmidi_label(const kmidi_model *m, int i)
{
    return i >= 0 && i < kmidi_labels(m) ? m->t->labels[i] : NULL;
}

int kmidi_hears(const kmidi_model *m)
{
    return m && live_hears(m->t->model);
}

// ---- Sessions

static bool fits(const kmidi_setup *o)
{
    return o->rate >= RATE_LEAST && o->rate <= RATE_MOST && o->rate == floor(o->rate) &&
           o->block >= 1 && o->block <= BLOCK_MOST;
}

kmidi_status kmidi_session_open(kmidi_model *m, const kmidi_setup *setup, kmidi_session **out,
                                char *why)
{
    err e = {0};
    if (out)
        *out = NULL;
    if (!m || !setup || !out)
        return say(KMIDI_NOTHING, why, NULL);
    if (!fits(setup))
        return say(KMIDI_SETUP, why, NULL);
    kmidi_session *s = NEW(&m->handles, kmidi_session, 1);
    s->m = m, s->memory.name = "session";
    s->live = live_open(&(live_setup){.trained = m->t,
                                      .rate = (int64_t)setup->rate,
                                      .block = setup->block,
                                      .forget = setup->forget != 0},
                        &s->memory, &e);
    if (!s->live) {
        arena_free(&s->memory);
        return say(status_of(&e), why, e.text);
    }
    s->room = (int)(live_most(s->live) * live_width(s->live));
    m->sessions++;
    *out = s;
    return say(KMIDI_OK, why, "");
}

kmidi_status kmidi_session_close(kmidi_session *s)
{
    if (!s)
        return KMIDI_OK;
    if (!s->live)
        return KMIDI_CLOSED;
    kmidi_model *m = s->m;
    live_close(s->live);
    s->live = NULL;
    arena_free(&s->memory);
    if (--m->sessions == 0 && m->closed)
        release(m);
    return KMIDI_OK;
}

static kmidi_status usable(const kmidi_session *s)
{
    return !s ? KMIDI_NOTHING : !s->live ? KMIDI_CLOSED : KMIDI_OK;
}

int kmidi_process(kmidi_session *s, const float *in, int n, float *out, int room)
{
    kmidi_status status = usable(s);
    if (status)
        return status;
    bool hears = live_hears(s->m->t->model);
    if ((!in && n > 0) || !out)
        return KMIDI_NOTHING;
    if (n < 0 || n > live_takes(s->live) || (!hears && n != live_takes(s->live)))
        return KMIDI_COUNT;
    if (room < s->room)
        return KMIDI_ROOM;
    int made = live_process(s->live, in, n, out);
    return made < 0 ? KMIDI_VALUE : made;
}

kmidi_status kmidi_reset(kmidi_session *s)
{
    kmidi_status status = usable(s);
    if (!status)
        live_reset(s->live);
    return status;
}

int kmidi_takes(const kmidi_session *s)
{
    kmidi_status status = usable(s);
    return status ? status : (int)live_takes(s->live);
}

int kmidi_width(const kmidi_session *s)
{
    kmidi_status status = usable(s);
    return status ? status : (int)live_width(s->live);
}

int kmidi_room(const kmidi_session *s)
{
    kmidi_status status = usable(s);
    return status ? status : s->room;
}

int kmidi_latency(const kmidi_session *s)
{
    kmidi_status status = usable(s);
    return status ? status : (int)ceil(live_latency(s->live));
}

int kmidi_hop(const kmidi_session *s)
{
    kmidi_status status = usable(s);
    return status ? status : (int)lround(live_hop(s->live));
}
