// SPDX-License-Identifier: GPL-3.0-or-later
// small.c: see small.h.
#include "tests/train/small.h"

#include <string.h>

static batch **batches_of(small_run *s, uint64_t seed, int n)
{
    batch **list = NEW(&s->a, batch *, (size_t)n);
    for (int i = 0; i < n; i++)
        list[i] = sample_batch(s->o.model, &s->dims, seed, (uint64_t)i, &s->a);
    return list;
}

void small_open(small_run *s, const char *model, int64_t rows, int batches)
{
    *s = (small_run){.o = {.model = model_find(model),
                           .batch_size = rows,
                           .grad_accum = 1,
                           .epochs = 10,
                           .seed = 3,
                           .log_every = 1,
                           .grad_clip = 1,
                           .monitor = "loss",
                           .budget = UINT64_MAX,
                           .budget_from = "test"}};
    s->o.optim = optim_find("adamw");
    s->o.hyper = s->o.optim->defaults;
    s->o.hyper.lr = 1e-3f;
    s->o.schedule = (schedule_options){.curve = schedule_find("constant")};
    s->dims = (model_dims){
        .batch = rows, .time = 4, .classes = s->o.model->probe ? 4 : 0, .training = true};
    s->set = (sample_set){.list = batches_of(s, 1, batches), .n = (uint64_t)batches};
    s->meta.arena = &s->a;
    s->setup = (trainer_setup){.o = &s->o,
                               .env = &s->env,
                               .train = sample_source(&s->set),
                               .classes = s->dims.classes,
                               .time = 4,
                               .meta = &s->meta,
                               .config = ""};
}

void small_validate(small_run *s, int batches)
{
    s->val = (sample_set){.list = batches_of(s, 2, batches), .n = (uint64_t)batches};
    s->setup.val = sample_source(&s->val);
}

batch *small_part(const batch *big, int64_t from, int64_t rows, arena *a)
{
    batch *b = NEW(a, batch, 1);
    *b = *big;
    b->items = rows;
    b->weight = 0;
    for (int i = 0; i < b->n_fields; i++) {
        size_t size = 4;
        for (int k = 1; k < big->field[i].rank; k++)
            size *= (size_t)big->field[i].dim[k];
        b->field[i].dim[0] = rows;
        b->field[i].data = (char *)big->field[i].data + (size_t)from * size;
    }
    const batch_field *w = feed_find(b, "weight");
    for (int64_t i = 0; i < (w->rank == 2 ? rows * w->dim[1] : rows); i++)
        b->weight += (double)((const float *)w->data)[i];
    return b;
}

void small_close(small_run *s)
{
    arena_free(&s->a);
}

int64_t small_weights(const small_run *s)
{
    arena a = {0};
    err e = {0};
    params *p = params_open(&a);
    EXPECT_OK(model_build(s->o.model, p, &s->dims, &a, &e) && params_allocate(p, 0, &e), e);
    int64_t n = p->weights_len;
    params_release(p);
    arena_free(&a);
    return n;
}

char *small_without_clock(char *text)
{
    char *to = text;
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        const char *clock = strstr(line, ", \"seconds\"");
        size_t keep = clock && clock < line + n ? (size_t)(clock - line) : n;
        memmove(to, line, keep);
        to += keep;
        *to++ = '\n';
        line += n + (line[n] == '\n');
    }
    *to = 0;
    return text;
}
