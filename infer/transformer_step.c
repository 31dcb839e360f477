// SPDX-License-Identifier: GPL-3.0-or-later
// transformer_step.c: emotion_midi_transformer one token at a time, for generation: the same layers
// (transformer.h) behind a cache.
//
//     emotion [1, 64]                     -> keys and values [1, E, D] of each layer that looks at it; once
//     token [1, 1], cache 2 L x [1, C, D] -> logits [1, 1, 388], 2 L x [1, 1, D]; one plan for all steps
//
// A step reads each weight once, 90 MB of the full model or 45 as bf16, and as much of the cache as
// is filled: memory is what it waits for. The caches are inputs of the step's graph, which lie
// where they are from step to step; what a step adds is copied behind their last row.
#include <string.h>

#include "autograd/run.h"
#include "infer/generate.h"
#include "models/transformer.h"

// Every product of a step waits for memory, of which two cores get twice as much as one; and a
// worker that is left out of a few nodes falls asleep.
enum { SHARE_NS = 4000 };

typedef struct stepper {
    generator base;
    arena memory;
    run *run;
    tensor *logits;
    transformer_past past[TRANSFORMER_LAYERS];
    int layers, context, length; // length: tokens in the cache
    bool began;                  // weights are cast in the first step
    int64_t dim;
    int32_t *token, *at; // inputs of the step
    int32_t *heard;      // [context]: the tokens in the cache
    float *keys[TRANSFORMER_LAYERS], *values[TRANSFORMER_LAYERS];
    float *blank; // [388] zeros
} stepper;

static network *open_network(const model_def *m, params *p, arena *a)
{
    network *n = NEW(a, network, 1);
    *n = (network){.model = m, .dims = {.batch = 1, .time = 1}, .g = graph_open(a), .p = p};
    return n;
}

static run *open_run(network *n, tensor *const *outs, int n_outs, threads *pool, arena *a, err *e)
{
    plan_options o = {.threads = threads_count(pool),
                      .share_ns = SHARE_NS,
                      .outputs = outs,
                      .n_outputs = n_outs,
                      .params = n->p,
                      .weights_stay = true};
    plan *pl = graph_ok(n->g, e) ? plan_make(n->g, &o, a, e) : NULL;
    return pl ? run_open(pl, n->p, pool, a, e) : NULL;
}

// ---- The emotion, once

// Fills the step's inputs cross.keys.i, cross.values.i; in f32, whatever the step does.
static bool hear_emotion(stepper *s, const model_def *m, params *p, const float emotion[64], err *e)
{
    arena a = {.name = "emotion"};
    network *n = open_network(m, p, &a);
    tensor *in = graph_input(n->g, "emotion", DT_F32, shape_of(2, 1, 64)),
           *x = transformer_emotion(n, in);
    tensor *outs[2 * TRANSFORMER_LAYERS];
    int layer[TRANSFORMER_LAYERS], k = 0;
    for (int i = 0; i < s->layers; i++)
        if (transformer_crosses(n, i)) {
            transformer_past made;
            transformer_cross(n, i, x, &made);
            outs[2 * k] = made.cross_keys, outs[2 * k + 1] = made.cross_values, layer[k++] = i;
        }
    run *r = k ? open_run(n, outs, 2 * k, NULL, &a, e) : NULL;
    bool ok = r || k == 0;
    if (r) {
        memcpy(run_data(r, in), emotion, 64 * sizeof *emotion);
        run_step(r, 0, 0, false);
    }
    for (int i = 0; r && i < k; i++) {
        const transformer_past *to = &s->past[layer[i]];
        size_t bytes = (size_t)shape_count(outs[2 * i]->shape) * sizeof(float);
        memcpy(run_data(s->run, to->cross_keys), run_data(r, outs[2 * i]), bytes);
        memcpy(run_data(s->run, to->cross_values), run_data(r, outs[2 * i + 1]), bytes);
    }
    run_close(r);
    arena_free(&a);
    return ok;
}

// ---- The step

static tensor *cache_input(network *n, const char *what, int layer, int64_t rows)
{
    return graph_input(n->g, layer_name(n, "%s.%d", what, layer), DT_F32,
                       shape_of(3, 1, rows, model_size(n, "dim")));
}

static bool open_step(stepper *s, const model_def *m, params *p, const generator_setup *o, err *e)
{
    network *n = open_network(m, p, &s->memory);
    tensor *outs[1 + 2 * TRANSFORMER_LAYERS],
        *token = graph_input(n->g, "tokens", DT_I32, shape_of(2, 1, 1));
    tensor *length = graph_input(n->g, "length", DT_I32, shape_of(1, 1));
    s->layers = (int)model_size(n, "layers"), s->dim = model_size(n, "dim");
    for (int i = 0; i < s->layers; i++) {
        bool crosses = transformer_crosses(n, i);
        int64_t vectors = model_size(n, "emotion_tokens");
        s->past[i] = (transformer_past){
            .keys = cache_input(n, "keys", i, s->context),
            .values = cache_input(n, "values", i, s->context),
            .length = length,
            .cross_keys = crosses ? cache_input(n, "cross.keys", i, vectors) : NULL,
            .cross_values = crosses ? cache_input(n, "cross.values", i, vectors) : NULL};
    }
    outs[0] = s->logits = transformer_logits(n, token, NULL, s->past);
    for (int i = 0; i < s->layers; i++)
        outs[1 + 2 * i] = s->past[i].new_keys, outs[2 + 2 * i] = s->past[i].new_values;
    if (o->precision == PRECISION_BF16 && graph_ok(n->g, e))
        precision_weights(n->g);
    s->run = open_run(n, outs, 1 + 2 * s->layers, o->pool, &s->memory, e);
    if (!s->run)
        return false;
    s->token = run_data(s->run, token), s->at = run_data(s->run, length);
    for (int i = 0; i < s->layers; i++)
        s->keys[i] = run_data(s->run, s->past[i].keys),
        s->values[i] = run_data(s->run, s->past[i].values);
    return true;
}

static void take(stepper *s, int token)
{
    size_t row = (size_t)s->length * (size_t)s->dim, bytes = (size_t)s->dim * sizeof(float);
    *s->token = token, *s->at = s->length;
    run_go(s->run, &(run_pass){.same_weights = s->began}, NULL);
    s->began = true;
    for (int i = 0; i < s->layers; i++) {
        memcpy(s->keys[i] + row, run_data(s->run, s->past[i].new_keys), bytes);
        memcpy(s->values[i] + row, run_data(s->run, s->past[i].new_values), bytes);
    }
    s->heard[s->length++] = token;
}

// The later half of what was heard, from position 0 on.
static void begin_again(stepper *s)
{
    int from = s->context - s->context / 2;
    s->length = 0;
    for (int i = from; i < s->context; i++)
        take(s, s->heard[i]);
}

static const float *next(generator *g, int token, err *e)
{
    stepper *s = g->self;
    if (token == -1 && s->length == 0)
        return s->blank;
    if (token < 0 || token >= TRANSFORMER_TOKENS) {
        err_set(e, ERR_VALUE, "%d is no event; they are numbered from 0 to %d", token,
                TRANSFORMER_TOKENS - 1);
        return NULL;
    }
    if (s->length == s->context)
        begin_again(s);
    take(s, token);
    return run_data(s->run, s->logits);
}

static void close_stepper(generator *g)
{
    stepper *s = g->self;
    arena memory = s->memory;
    run_close(s->run);
    arena_free(&memory);
}

generator *transformer_generator(params *p, const model_def *m, const generator_setup *o, arena *a,
                                 err *e)
{
    CHECK(o->context >= 2);
    stepper *s = NEW(a, stepper, 1);
    *s = (stepper){.memory = {.name = "transformer"}, .context = o->context};
    s->base =
        (generator){.count = TRANSFORMER_TOKENS, .next = next, .close = close_stepper, .self = s};
    s->heard = NEW(&s->memory, int32_t, (size_t)o->context);
    s->blank = NEW(&s->memory, float, TRANSFORMER_TOKENS);
    if (open_step(s, m, p, o, e) && hear_emotion(s, m, p, o->emotion, e))
        return &s->base;
    close_stepper(&s->base);
    return NULL;
}
