// SPDX-License-Identifier: GPL-3.0-or-later
// profile.c: sums of seconds by row, and the spans of the last timed step, by row and by thread.
#include "autograd/profile.h"

#include <math.h>

#include "autograd/op.h"
#include "base/hw.h"

struct profile {
    const plan *plan;
    profile_row *rows; // [plan->n_steps + PROFILE_PARTS + 1]
    int n_rows;
    int wanted, seen, done; // steps: to time, begun, timed
    bool on;                // this step is timed
    double began, seconds, least, most;
    run_span *spans; // of one batch, by plan step
    profile_event *events;
    int n_events, room;
    threads *pool;
    threads_span *parts; // of the threads in the step that is timed, or was last
    int64_t n_parts, parts_room;
};

const char *profile_phase_name(profile_phase p)
{
    static const char *const names[PHASE_COUNT] = {"data", "forward", "backward", "optimiser",
                                                   "rest"};
    return names[p];
}

// ---- Rows

static double tensor_bytes(const tensor *t)
{
    return (double)shape_count(t->shape) * (double)dtype_size(t->type);
}

static const char *weight_of(const plan *p, const node *n)
{
    const plan_options *o = &p->options;
    for (int i = 0; o->grads && i < o->params->n; i++)
        for (int k = 0; k < n->n_out; k++)
            if (o->grads[i] == n->out[k])
                return o->params->list[i].name;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] && n->in[k]->kind == TENSOR_PARAM)
            return n->in[k]->name;
    return "";
}

static profile_row node_row(const plan *p, const plan_step *st)
{
    const node *n = st->node;
    profile_row r = {
        .op = n->op->name, .what = weight_of(p, n), .out = n->out[0], .threads = st->threads};
    r.phase = n->backward ? PHASE_BACKWARD : PHASE_FORWARD;
    r.flops = n->op->flops ? n->op->flops(n) : 0;
    for (int k = 0; k < n->n_in; k++)
        r.bytes += n->in[k] ? tensor_bytes(n->in[k]) : 0;
    for (int k = 0; k < n->n_out; k++)
        r.bytes += tensor_bytes(n->out[k]);
    return r;
}

static profile_row move_row(const plan *p, const plan_step *st)
{
    bool add = !st->write && p->options.grad_mode == GRAD_ADD;
    return (profile_row){.op = plan_move_name(p, st),
                         .what = p->options.params->list[st->param].name,
                         .out = st->grad,
                         .phase = st->write ? PHASE_FORWARD : PHASE_BACKWARD,
                         .threads = st->threads,
                         .bytes = tensor_bytes(st->grad) * (add ? 3 : 2)};
}

// An optimiser reads the gradient, and reads and writes weights and moments; an average reads
// weights, and reads and writes itself.
static void part_rows(const plan *p, profile_row *rows)
{
    const params *w = p->options.params;
    double trained = w ? (double)w->grads_len * sizeof(float) : 0;
    int most = p->options.threads;
    rows[PROFILE_WAIT] = (profile_row){.op = "waiting for data", .phase = PHASE_DATA, .threads = 1};
    rows[PROFILE_FEED] =
        (profile_row){.op = "copying the batch", .phase = PHASE_DATA, .threads = 1};
    rows[PROFILE_NORM] = (profile_row){
        .op = "gradient norm", .phase = PHASE_OPTIMISER, .threads = most, .bytes = trained};
    rows[PROFILE_OPTIM] = (profile_row){.op = "optimiser",
                                        .phase = PHASE_OPTIMISER,
                                        .threads = most,
                                        .bytes = trained * (3 + 2 * (w ? w->n_moments : 0))};
    rows[PROFILE_EMA] = (profile_row){.op = "average of weights",
                                      .phase = PHASE_OPTIMISER,
                                      .threads = most,
                                      .bytes = 3 * trained};
    rows[PROFILE_PARTS] = (profile_row){.op = "(between rows)", .phase = PHASE_REST, .threads = 1};
    for (int i = 0; i <= PROFILE_PARTS; i++)
        rows[i].what = "";
}

// of the pool, on average at most: a layer may transpose its weight first, an optimiser has passes
enum { RUNS_OF_ROW = 3 };

profile *profile_open(const plan *p, threads *pool, int steps, int64_t batches, arena *a)
{
    profile *f = NEW(a, profile, 1);
    f->plan = p;
    f->wanted = steps;
    f->n_rows = p->n_steps + PROFILE_PARTS + 1;
    f->rows = NEW(a, profile_row, (size_t)f->n_rows);
    for (int i = 0; i < p->n_steps; i++)
        f->rows[i] = p->steps[i].node ? node_row(p, &p->steps[i]) : move_row(p, &p->steps[i]);
    part_rows(p, f->rows + p->n_steps);
    f->room = (int)batches * (p->n_steps + 2) + PROFILE_PARTS;
    f->spans = NEW(a, run_span, (size_t)p->n_steps + 1);
    f->events = NEW(a, profile_event, (size_t)f->room);
    f->pool = pool;
    f->parts_room = (int64_t)f->room * RUNS_OF_ROW * threads_count(pool);
    f->parts = NEW(a, threads_span, (size_t)f->parts_room);
    return f;
}

// ---- Timing

static void add_span(profile *f, int row, double begin, double end)
{
    f->rows[row].seconds += end - begin;
    f->rows[row].calls++;
    if (f->n_events < f->room)
        f->events[f->n_events++] = (profile_event){row, 0, begin - f->began, end - f->began};
}

void profile_begin(profile *f)
{
    if (!f)
        return;
    f->on = ++f->seen > PROFILE_WARM_UP && f->done < f->wanted;
    if (!f->on)
        return;
    f->n_events = 0;
    threads_watch(f->pool, f->parts, f->parts_room);
    f->began = hw_seconds();
}

// The last event that begins at `at` or before it; NULL when it is over by then.
static const profile_event *event_at(const profile *f, double at)
{
    int lo = 0, hi = f->n_events;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (f->events[mid].begin <= at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && f->events[lo - 1].end >= at ? &f->events[lo - 1] : NULL;
}

static void give_work(profile *f)
{
    profile_event w;
    f->n_parts = threads_watched(f->pool);
    threads_watch(f->pool, NULL, 0);
    for (int64_t i = 0; i < f->n_parts; i++)
        if (profile_work(f, i, &w))
            f->rows[w.row].busy += w.end - w.begin;
}

void profile_end(profile *f)
{
    if (!f || !f->on)
        return;
    double took = hw_seconds() - f->began, known = 0;
    give_work(f);
    for (int i = 0; i < f->n_events; i++)
        known += f->events[i].end - f->events[i].begin;
    f->least = f->done ? fmin(f->least, took) : took;
    f->most = fmax(f->most, took);
    f->seconds += took;
    f->rows[f->n_rows - 1].seconds += took - known;
    f->rows[f->n_rows - 1].calls++;
    f->done++;
    f->on = false;
}

double profile_clock(const profile *f)
{
    return f && f->on ? hw_seconds() : 0;
}

void profile_part_end(profile *f, profile_part part, double began)
{
    if (f && f->on)
        add_span(f, f->plan->n_steps + (int)part, began, hw_seconds());
}

void profile_run(profile *f, run *r, const run_pass *p)
{
    bool timed = f && f->on;
    run_go(r, p, timed ? f->spans : NULL);
    for (int i = 0; timed && i < f->plan->n_steps; i++)
        if (f->spans[i].end > 0)
            add_span(f, i, f->spans[i].begin, f->spans[i].end);
}

// ---- Asking

bool profile_complete(const profile *f)
{
    return f && f->done == f->wanted;
}

int profile_steps(const profile *f)
{
    return f ? f->done : 0;
}

double profile_seconds(const profile *f, double *least, double *most)
{
    *least = f->least, *most = f->most;
    return f->done ? f->seconds / f->done : 0;
}

const profile_row *profile_rows(const profile *f, int *n)
{
    *n = f->n_rows;
    return f->rows;
}

double profile_busy(const profile_row *r)
{
    double all = r->seconds * r->threads;
    return all > 0 ? fmin((r->busy > 0 ? r->busy : r->seconds) / all, 1) : 0;
}

int64_t profile_parts(const profile *f)
{
    return f->n_parts;
}

// A part is of the row in whose time it lies.
bool profile_work(const profile *f, int64_t i, profile_event *w)
{
    const threads_span *s = &f->parts[i];
    const profile_event *v = event_at(f, s->begin - f->began);
    if (v)
        *w = (profile_event){v->row, s->index, s->begin - f->began, s->end - f->began};
    return v != NULL;
}

const profile_event *profile_events(const profile *f, int *n)
{
    *n = f->n_events;
    return f->events;
}
