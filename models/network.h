// SPDX-License-Identifier: GPL-3.0-or-later
// network.h: a network that was built: for which sizes and in which form, its inputs and outputs,
// its layers as adapters see them, and the state that goes from one step to the next.
#ifndef KMIDI_MODELS_NETWORK_H
#define KMIDI_MODELS_NETWORK_H

#include "autograd/graph.h"
#include "autograd/params.h"

enum { MODEL_PORTS = 4, MODEL_LAYERS = 256, MODEL_STATES = 96, MODEL_GROUPS = 32 };

// What a network is built for. A sequence that grows at its end need not be heard anew for each
// token: a step takes up what was left by the step before (network.state). The layers are the same
// text in every form.
typedef enum model_form {
    FORM_WHOLE, // sequences from their beginning
    FORM_STEP,  // dims.time tokens behind a state; all inputs are heard in each step
    FORM_REST,  // the same, where what is made of the inputs `once` comes in ready
    FORM_ONCE,  // that part: from the inputs `once` to states, and no output
} model_form;

// What goes from one step to the next. A layer declares it (layer_state, layer_given); who runs the
// network (infer/session.h) or writes it down (export/onnx_past.c) needs to know no more.
typedef enum state_kind {
    STATE_REPLACED, // `out` takes the place of `in`; zeros at the beginning
    // [B, rows, D]: the rows of `out` go behind the first `length` of `in`
    STATE_GROWS,
    STATE_GIVEN, // what FORM_ONCE makes, FORM_REST takes, and FORM_STEP has within itself
} state_kind;

typedef struct model_state {
    state_kind kind;
    const char *name; // of its input: "lstm.h", "keys.3"
    tensor *in, *out; // NULL where the form has none
    tensor *scales;   // of rows in i8 (autograd/cache_bytes.h): [B, heads, rows]; else NULL
    // a cache of attention, as others lay it out, [B, heads, rows, D / heads], and call it:
    // "past_key_values.3.key", "present.3.key"; NULL for what is none
    const char *past, *present;
    int64_t heads;
    bool values; // of such a cache, else keys
} model_state;

// A low-rank adapter of one weight (lora/ makes them); a weight may have several. Where the layer
// is called, a linear one computes
//     act(x W^T + b + scale (dropout(x) A^T) B^T)        A [rank, I], B [O, rank]
// and a recurrent one takes W + scale B A in place of W [O, I]. A convolution's weight [O, I, KH,
// KW] is a matrix with rows of I KH KW, and adapted as a linear one; its factors are convolutions.
// By DoRA (Liu et al. 2024) the rows of W + scale B A get the lengths M [O]; what that differs from
// the layer as it is counts `share` times:
//     act(x W^T + b + share (g (dropout(x) (W + scale B A)^T) - dropout(x) W^T))
//     g = M / |row of W + scale B A|, the norm a constant for gradients
typedef struct adapter_site {
    const char *weight; // "fc1.weight", "lstm.weight_ih_l0"
    const char *a, *b;  // names of its parameters
    const char *m;      // DoRA: of M; NULL: plain
    int64_t rank;
    float scale, dropout, share; // share: of DoRA
} adapter_site;

// Shapes of A and B of a weight `w`, as PEFT has them.
static inline shape adapter_a(shape w, int64_t rank)
{
    w.d[0] = rank; // [rank, I], or [rank, I, KH, KW]
    return w;
}

static inline shape adapter_b(shape w, int64_t rank)
{
    return w.rank == 4 ? shape_of(4, w.d[0], rank, 1, 1) : shape_of(2, w.d[0], rank);
}

// Of DoRA's M: PEFT has a convolution's as it is multiplied with pictures.
static inline shape adapter_m(shape w)
{
    return w.rank == 4 ? shape_of(4, 1, w.d[0], 1, 1) : shape_of(1, w.d[0]);
}

// With adapters, every parameter of the model is frozen but those that are trained whole beside
// them. The probe is always trained.
typedef struct adapters {
    const adapter_site *site;
    const char *const *whole; // names of parameters
    int n, n_whole;
} adapters;

// A matrix that an adapter can change, in the order of the calls.
typedef enum layer_kind { LAYER_LINEAR, LAYER_RECURRENT, LAYER_CONV } layer_kind;
typedef struct layer_info {
    layer_kind kind;
    const char *name;   // as it is targeted: "fc1", "lstm.weight_ih_l0"
    const char *weight; // its parameter [out, in]
    int64_t in, out;
    tensor *y; // what it computes; LAYER_RECURRENT: NULL
} layer_info;

typedef struct model_dims {
    int64_t batch, time; // time: frames or tokens, 1 for models without
    int classes;         // of the training-only probe head; 0 for models that have none
    float label_smoothing;
    // models with `affect`: weight of the squared error of valence and arousal in the loss
    float affect_weight;
    // items are mixtures of two (data/loader/loader.h): the loss counts the second's target, too
    bool mixed;
    // with loss and gradients; else inputs to output (and probe logits where classes > 0)
    bool training;
    const adapters *adapters; // NULL: none
    model_form form;
    // that a growing state holds; 0: as many as `time`, and as free as that (ONNX)
    int64_t rows;
    dtype row_type; // of that: f32, bf16, or i8 as attention keeps it
} model_dims;

typedef struct model_def model_def;
typedef struct network {
    const model_def *model;
    model_dims dims;
    graph *g;
    params *p;
    tensor *in[MODEL_PORTS]; // in the order of model->inputs
    tensor *out;             // the model's output: what is exported
    tensor *logits;          // what the loss sees: the probe's logits, or `out`
    // training: inputs "target" and "weight" (one a row; a token for TASK_TOKENS; [B, G] for
    // TASK_GROUPS), and where rows are mixed the same of the other item: "other_target" ...
    tensor *target, *weight, *other_target, *other_weight;
    // training with affect_weight: input "emotion" [B, 64], whose first two elements are wanted
    tensor *affect;
    // training: input "scale", a scalar: 1 / total weight of the accumulation window
    tensor *scale;
    tensor *loss_sum;                // training: sum of weight * loss over the rows of this batch
    tensor *loss;                    // loss_sum * scale: what is differentiated
    tensor **grads;                  // training: [p->n], NULL where frozen
    layer_info layers[MODEL_LAYERS]; // without the probe
    int n_layers;
    model_state state[MODEL_STATES]; // in the order in which layers declared it; FORM_WHOLE: none
    int n_states;
    tensor *length;    // i32 [1], an input where a state grows: rows of it that are filled
    const void *sizes; // the model's
} network;

#endif
