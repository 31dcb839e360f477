// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: the loop of generate.h.
#include "infer/generate.h"

#include <string.h>

typedef struct loop {
    generator *g;
    generate_job *jobs;
    int n;
    int *heard; // [n]: tokens of each that its lane took
    int *next;  // [lanes]: that go in next
    float *own; // [count]: logits that may be changed
} loop;

static void begin(loop *l)
{
    for (int k = 0; k < l->g->lanes; k++)
        l->next[k] = -1;
    for (int k = 0; k < l->n; k++) {
        generate_job *job = &l->jobs[k];
        job->drawn = 0, job->over = job->n == 0;
        if (job->n_prompt)
            memcpy(job->tokens, job->prompt, (size_t)job->n_prompt * sizeof *job->tokens);
    }
}

static bool over(const loop *l)
{
    for (int k = 0; k < l->n; k++)
        if (!l->jobs[k].over)
            return false;
    return true;
}

static bool draw(loop *l, generate_job *job, const float *logits, err *e)
{
    int n = job->n_prompt + job->drawn;
    memcpy(l->own, logits, (size_t)l->g->count * sizeof *l->own);
    if (job->forbid)
        job->forbid(job->user, job->tokens, n, l->own);
    if (!sampler_draw(job->by, l->own, job->tokens, n, &job->tokens[n], e))
        return false;
    job->drawn++;
    job->over = (job->done && job->done(job->user, job->tokens, n + 1)) || job->drawn == job->n;
    return true;
}

// What goes into a lane behind these logits: the next of its prompt, or the one that is drawn. What
// a lane takes whose job is over does not matter, nor what one takes that has none.
static bool advance(loop *l, int lane, const float *logits, err *e)
{
    generate_job *job = &l->jobs[lane];
    bool prompted = l->heard[lane] < job->n_prompt;
    if (job->over || (!prompted && !draw(l, job, logits, e)))
        return job->over;
    l->next[lane] = job->tokens[l->heard[lane]++];
    return true;
}

static bool step(loop *l, err *e)
{
    const float *logits = l->g->next(l->g, l->next, e);
    for (int k = 0; logits && k < l->n; k++)
        if (!advance(l, k, logits + (size_t)k * (size_t)l->g->count, e))
            return false;
    for (int k = l->n; k < l->g->lanes; k++)
        l->next[k] = 0;
    return logits != NULL;
}

bool generate(generator *g, generate_job *jobs, int n, const env *v, err *e)
{
    arena a = {.name = "generate"};
    loop l = {.g = g, .jobs = jobs, .n = n};
    CHECK(n <= g->lanes);
    l.heard = NEW(&a, int, (size_t)n + 1);
    l.next = NEW(&a, int, (size_t)g->lanes);
    l.own = NEW(&a, float, (size_t)g->count);
    bool ok = true;
    for (begin(&l); ok && !over(&l);) {
        if (env_stop(v))
            ok = err_set(e, ERR_STOPPED, "stopped after %d of %d tokens", jobs->drawn, jobs->n);
        ok = ok && step(&l, e);
    }
    arena_free(&a);
    return ok;
}
