// SPDX-License-Identifier: GPL-3.0-or-later
// listen_windows.c: windows on their way through the network.
//
// A pass of eight windows takes less time than eight passes; how much less is a matter of the
// network. Where weights are fetched for every step of a recurrence it is a third, where they are
// convolutions of pictures a twentieth. Eight windows of one recording go together. Those of
// several do where it was tried: it must be cheaper here, and no bit of an answer may differ, since
// what is said of a file must not depend on the files beside it. A library of products may sum in
// another order where there are more rows (both do with AVX2, neither with AVX-512).
//
// The trial takes two passes more, so it comes when eight times as many windows were heard. It goes
// by processor time.
#include <math.h>
#include <string.h>

#include "base/hw.h"
#include "infer/listen_internal.h"

enum { TRIAL = 8 * LISTEN_WIDE };
#define WORTH 0.9 // of the time of passes of their own, at most

// ---- Sessions

void listen_release(listener *l)
{
    session_close(l->one), session_close(l->many);
    l->one = l->many = NULL;
    l->time = 0, l->waiting = 0, l->way = LISTEN_UNTRIED, l->apart = 0;
    arena_free(&l->nets);
}

static session *open_session(listener *l, int64_t windows, err *e)
{
    const trained *d = l->d;
    session_setup o = {.model = d->model,
                       .params = d->p,
                       .gives = SESSION_OUT | (d->classes > 0 ? SESSION_LOGITS : 0),
                       .batch = windows,
                       .time = l->time,
                       .classes = d->classes,
                       .stay = true,
                       .pool = l->v->pool,
                       .kit = l->v->kit};
    return session_open(&o, &l->nets, e);
}

static bool open_network(listener *l, int64_t time, err *e)
{
    bool picture = l->d->model->inputs[0].rank == 4;
    listen_release(l);
    l->time = time, l->row = time * l->d->mel->n_mels;
    l->one = open_session(l, 1, e);
    if (l->one) {
        l->rows = NEW(&l->nets, float, (size_t)(LISTEN_WIDE * l->row));
        l->unturned = picture ? NEW(&l->nets, float, (size_t)l->row) : NULL;
        return true;
    }
    listen_release(l);
    return false;
}

static bool open_many(listener *l, err *e)
{
    return l->many || (l->many = open_session(l, LISTEN_WIDE, e));
}

// ---- Passes

static float *input_of(listener *l, session *s)
{
    return session_input(s, l->d->model->inputs[0].name);
}

// What row r of a pass says [said].
static void read_row(const listener *l, session *s, int64_t r, float *said)
{
    memcpy(said, (const float *)session_data(s, s->net->out) + r * l->width,
           (size_t)l->width * sizeof *said);
    if (l->d->classes > 0)
        memcpy(said + l->width, (const float *)session_data(s, s->net->logits) + r * l->d->classes,
               (size_t)l->d->classes * sizeof *said);
}

static void add(listener *l, int slot, const float *said)
{
    for (int64_t i = 0; i < l->said; i++)
        l->sums[slot * l->said + i] += (double)said[i];
}

// What each row that waits says [waiting][said].
static void pass_one_by_one(listener *l, float *said)
{
    for (int k = 0; k < l->waiting; k++) {
        memcpy(input_of(l, l->one), l->rows + k * l->row, (size_t)l->row * sizeof *l->rows);
        session_go(l->one);
        read_row(l, l->one, 0, said + k * l->said);
    }
    l->apart += l->waiting;
}

static bool pass_together(listener *l, float *said, err *e)
{
    if (!open_many(l, e))
        return false;
    memcpy(input_of(l, l->many), l->rows, (size_t)(l->waiting * l->row) * sizeof *l->rows);
    session_go(l->many);
    for (int k = 0; k < l->waiting; k++)
        read_row(l, l->many, k, said + k * l->said);
    return true;
}

// Both ways. The first pass together is as long as memory is new to it.
static bool try_both(listener *l, float *said, err *e)
{
    size_t bytes = (size_t)(LISTEN_WIDE * l->said) * sizeof *said;
    float *other = NEW(&l->nets, float, (size_t)(LISTEN_WIDE * l->said));
    double begin = hw_thread_seconds();
    pass_one_by_one(l, said);
    double apart = hw_thread_seconds() - begin;
    l->way = LISTEN_APART;
    if (!pass_together(l, other, e))
        return false;
    if (memcmp(said, other, bytes))
        return true;
    begin = hw_thread_seconds();
    session_go(l->many);
    double share = (hw_thread_seconds() - begin) / apart;
    if (share < WORTH)
        l->way = LISTEN_TOGETHER, l->enough = (int)(share * LISTEN_WIDE) + 1;
    return true;
}

static bool of_one(const listener *l)
{
    for (int k = 1; k < l->waiting; k++)
        if (l->owners[k] != l->owners[0])
            return false;
    return true;
}

bool listen_flush(listener *l, err *e)
{
    arena a = {.name = "windows"};
    float *said = NEW(&a, float, (size_t)(LISTEN_WIDE * l->said));
    bool full = l->waiting == LISTEN_WIDE, ok = true;
    if (l->way == LISTEN_TOGETHER ? l->waiting >= l->enough : full && of_one(l))
        ok = pass_together(l, said, e);
    else if (full && l->way == LISTEN_UNTRIED && l->apart >= TRIAL)
        ok = try_both(l, said, e);
    else
        pass_one_by_one(l, said);
    for (int k = 0; ok && k < l->waiting; k++)
        add(l, l->owners[k], said + k * l->said);
    if (!ok)
        l->broke = *e;
    l->waiting = 0;
    arena_free(&a);
    return ok;
}

// ---- Recordings

void listen_begin(listener *l, int slot)
{
    memset(l->sums + slot * l->said, 0, (size_t)l->said * sizeof *l->sums);
}

// One of many windows is heard as it is alone: in passes of its own from its first window on.
bool listen_expect(listener *l, int64_t time, int count, err *e)
{
    bool other = l->time != time;
    if ((other || (count >= LISTEN_WIDE && l->way != LISTEN_TOGETHER)) && !listen_flush(l, e))
        return false;
    return !other || open_network(l, time, e);
}

// As a loader makes a row: a shorter item stands at its end.
bool listen_window(listener *l, int slot, const float *frames, int64_t n, int64_t begin, err *e)
{
    const trained *d = l->d;
    float *row = l->rows + l->waiting * l->row;
    loader_row(frames, n, begin, l->time, d->mel->n_mels, d->hear.mean, d->hear.deviation,
               l->unturned ? l->unturned : row);
    if (l->unturned)
        loader_turn(l->unturned, l->time, d->mel->n_mels, row);
    l->owners[l->waiting++] = slot;
    return l->waiting < LISTEN_WIDE || listen_flush(l, e);
}

static void softmax(const double *x, int64_t n, float *p)
{
    double most = -INFINITY, total = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++)
        total += exp(x[i] - most);
    for (int64_t i = 0; i < n; i++)
        p[i] = (float)(exp(x[i] - most) / total);
}

heard listen_finish(listener *l, int slot, int count, int64_t frames)
{
    const model_def *m = l->d->model;
    int classes = l->d->classes;
    double *sums = l->sums + slot * l->said;
    float *means = l->means + slot * (l->said + l->width), *p = means + l->width;
    for (int64_t i = 0; i < l->said; i++)
        means[i] = (float)(sums[i] /= count);
    if (classes)
        softmax(sums + l->width, classes, p);
    for (int k = 0; k < m->n_groups; k++)
        softmax(sums + m->groups[k].offset, m->groups[k].size, p + m->groups[k].offset);
    return (heard){means, classes || m->n_groups ? p : NULL, count, frames};
}
