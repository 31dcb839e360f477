// SPDX-License-Identifier: GPL-3.0-or-later
// melody_step.c: melody_transformer one note at a time, for generation: the same parameters, with
// the recurrent state as input and output.
//
//     emotion [1, 64], prev_note [1], h [1, 256], c [1, 256]  ->  logits [1, 128], h', c'
#include <string.h>

#include "autograd/run.h"
#include "infer/generate.h"

enum { HIDDEN = 256, NOTES = 128 };

typedef struct melody {
    generator base;
    arena memory;
    run *run;
    bool began;             // weights are cast in the first step
    tensor *logits, *h, *c; // behind the step
    int32_t *note;
    float *h_in, *c_in;
} melody;

static network *open_network(melody *m, params *p, err *e)
{
    network *n = NEW(&m->memory, network, 1);
    *n = (network){.model = model_find("melody_transformer"),
                   .dims = {.batch = 1, .time = 1},
                   .g = graph_open(&m->memory),
                   .p = p};
    tensor *emotion = graph_input(n->g, "emotion", DT_F32, shape_of(2, 1, 64));
    tensor *note = graph_input(n->g, "prev_note", DT_I32, shape_of(1, 1));
    tensor *h = graph_input(n->g, "h", DT_F32, shape_of(2, 1, HIDDEN)),
           *c = graph_input(n->g, "c", DT_F32, shape_of(2, 1, HIDDEN));
    tensor *x = op_add(n->g, op_note_code(n->g, note, 64), emotion);
    x = layer_linear(n, "fc1", x, 256, ACT_RELU);
    m->h = layer_lstm_cell(n, "lstm", x, h, c, &m->c);
    x = layer_linear(n, "fc2", m->h, 256, ACT_RELU);
    m->logits = layer_linear(n, "fc3", x, NOTES, ACT_NONE);
    return graph_ok(n->g, e) ? n : NULL;
}

static const float *next(generator *g, int token, err *e)
{
    melody *m = g->self;
    (void)e;
    *m->note = token;
    run_go(m->run, &(run_pass){.same_weights = m->began}, NULL);
    m->began = true;
    memcpy(m->h_in, run_data(m->run, m->h), HIDDEN * sizeof(float));
    memcpy(m->c_in, run_data(m->run, m->c), HIDDEN * sizeof(float));
    return run_data(m->run, m->logits);
}

static void close_melody(generator *g)
{
    melody *m = g->self;
    arena memory = m->memory;
    run_close(m->run);
    arena_free(&memory);
}

generator *melody_generator(params *p, const generator_setup *how, arena *a, err *e)
{
    melody *m = NEW(a, melody, 1);
    m->memory.name = "melody";
    m->base = (generator){.count = NOTES, .next = next, .close = close_melody, .self = m};
    network *n = open_network(m, p, e);
    tensor *outs[] = {m->logits, m->h, m->c};
    plan_options o = {.threads = threads_count(how->pool),
                      .outputs = outs,
                      .n_outputs = 3,
                      .params = p,
                      .weights_stay = true};
    if (n && how->precision == PRECISION_BF16)
        precision_weights(n->g);
    plan *pl = n ? plan_make(n->g, &o, &m->memory, e) : NULL;
    m->run = pl ? run_open(pl, p, how->pool, &m->memory, e) : NULL;
    if (!m->run) {
        close_melody(&m->base);
        return NULL;
    }
    m->note = run_input(m->run, "prev_note");
    m->h_in = memset(run_input(m->run, "h"), 0, HIDDEN * sizeof(float));
    m->c_in = memset(run_input(m->run, "c"), 0, HIDDEN * sizeof(float));
    memcpy(run_input(m->run, "emotion"), how->emotion, 64 * sizeof(float));
    return &m->base;
}
