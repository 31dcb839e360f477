// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: the loop of generate.h.
#include "infer/generate.h"

#include <string.h>

// Tells the generator everything that came so far.
static const float *listen(generator *g, const generate_job *job, err *e)
{
    const float *logits = g->next(g, -1, e);
    for (int i = 0; logits && i < job->n_prompt; i++)
        logits = g->next(g, job->prompt[i], e);
    return logits;
}

static bool step(generator *g, sampler *s, generate_job *job, const float **logits, float *own,
                 err *e)
{
    int n = job->n_prompt + job->drawn, *token = &job->tokens[n];
    memcpy(own, *logits, (size_t)g->count * sizeof *own);
    if (job->forbid)
        job->forbid(job->user, job->tokens, n, own);
    if (!sampler_draw(s, own, job->tokens, n, token, e))
        return false;
    job->drawn++;
    return job->drawn == job->n || (*logits = g->next(g, *token, e)) != NULL;
}

bool generate(generator *g, sampler *s, generate_job *job, const env *v, err *e)
{
    arena a = {.name = "generate"};
    float *own = NEW(&a, float, (size_t)g->count);
    const float *logits = listen(g, job, e);
    bool ok = logits != NULL, done = false;
    if (job->n_prompt)
        memcpy(job->tokens, job->prompt, (size_t)job->n_prompt * sizeof *job->tokens);
    for (job->drawn = 0; ok && !done && job->drawn < job->n;) {
        if (env_stop(v))
            ok = err_set(e, ERR_STOPPED, "stopped after %d of %d tokens", job->drawn, job->n);
        ok = ok && step(g, s, job, &logits, own, e);
        done = ok && job->done && job->done(job->user, job->tokens, job->n_prompt + job->drawn);
    }
    arena_free(&a);
    return ok;
}
