// SPDX-License-Identifier: GPL-3.0-or-later
// model.h: a network as a page of layer calls. One file in models/ fills one model_def; models.def
// lists them.
//
// Parameters are declared where a layer is called, once, with PyTorch's names, shapes and
// initialisation; counts, checkpoints, adapters, ONNX initialisers all follow from that. reference:
// the PyTorch definitions of the same names.
//
//     params *p = params_open(&arena);
//     model_dims d = {.batch = 16, .time = 150, .classes = 4, .training = true};
//     network *n = model_build(model_find("emotion_recognizer"), p, &d, &arena, e);
//     params_allocate(p, 2, e), params_init(p, seed);
//     plan_make(n->g, ... n->loss, n->grads ...)
//
// Building again with the same params and other dimensions gives another graph over the same
// weights (evaluation, prediction).
#ifndef KMIDI_MODELS_MODEL_H
#define KMIDI_MODELS_MODEL_H

#include "autograd/graph.h"
#include "autograd/ops.h"
#include "autograd/params.h"
#include "base/key.h"
#include "base/meta.h"

enum { MODEL_PORTS = 4, MODEL_LAYERS = 256, MODEL_STATES = 96 };

// An input, output or target. A free dimension has size 0 and a symbol (SYM_BATCH "batch", SYM_TIME
// "time").
typedef struct port {
    const char *name;
    dtype type;
    int rank;
    int64_t dim[RANK_MAX];
    uint8_t sym[RANK_MAX];
    int below; // i32: values lie in [low, below)
    int low;
    bool once; // the same in all steps of a sequence: heard once, before them (FORM_ONCE)
} port;

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
    STATE_GROWS,    // [B, rows, D]: the rows of `out` go behind the first `length` of `in`
    STATE_GIVEN,    // what FORM_ONCE makes, FORM_REST takes, and FORM_STEP has within itself
} state_kind;

typedef struct model_state {
    state_kind kind;
    const char *name; // of its input: "lstm.h", "keys.3"
    tensor *in, *out; // NULL where the form has none
    // a cache of attention, as others lay it out, [B, heads, rows, D / heads], and call it:
    // "past_key_values.3.key", "present.3.key"; NULL for what is none
    const char *past, *present;
    int64_t heads;
} model_state;

// A low-rank adapter of one weight (lora/ makes them); a weight may have several. Where the layer
// is called, a linear one computes
//     act(x W^T + b + scale (dropout(x) A^T) B^T)        A [rank, I], B [O, rank]
// and a recurrent one takes W + scale B A in place of W [O, I].
typedef struct adapter_site {
    const char *weight; // "fc1.weight", "lstm.weight_ih_l0"
    const char *a, *b;  // names of its parameters
    int64_t rank;
    float scale, dropout;
} adapter_site;

// With adapters, every parameter of the model is frozen but those that are trained whole beside
// them. The probe is always trained.
typedef struct adapters {
    const adapter_site *site;
    const char *const *whole; // names of parameters
    int n, n_whole;
} adapters;

// A matrix that an adapter can change, in the order of the calls.
typedef enum layer_kind { LAYER_LINEAR, LAYER_RECURRENT } layer_kind;
typedef struct layer_info {
    layer_kind kind;
    const char *name;   // as it is targeted: "fc1", "lstm.weight_ih_l0"
    const char *weight; // its parameter [out, in]
    int64_t in, out;
    tensor *y; // LAYER_LINEAR: what it computes
} layer_info;

typedef struct model_dims {
    int64_t batch, time; // time: frames or tokens, 1 for models without
    int classes;         // of the training-only probe head; 0 for models that have none
    float label_smoothing;
    // models with `affect`: weight of the squared error of valence and arousal in the loss
    float affect_weight;
    // with loss and gradients; else inputs to output (and probe logits where classes > 0)
    bool training;
    const adapters *adapters; // NULL: none
    model_form form;
    // that a growing state holds; 0: as many as `time`, and as free as that (ONNX)
    int64_t rows;
} model_dims;

typedef enum model_task { TASK_CLASSES, TASK_TOKENS, TASK_REGRESSION } model_task;

// What its output is for, where there is music to be made of it (infer/).
typedef enum model_makes {
    MAKES_NONE,
    MAKES_NOTES,    // pitches of a melody, one by one
    MAKES_EVENTS,   // performance events (`dialect`), one by one
    MAKES_CHORDS,   // chord ids, a bar at a time
    MAKES_GROOVE,   // tempo, timing and accents
    MAKES_DYNAMICS, // loudness over a phrase
} model_makes;

typedef struct model_def model_def;
typedef struct network {
    const model_def *model;
    model_dims dims;
    graph *g;
    params *p;
    tensor *in[MODEL_PORTS]; // in the order of model->inputs
    tensor *out;             // the model's output: what is exported
    tensor *logits;          // what the loss sees: the probe's logits, or `out`
    // training: inputs "target" and "weight" (one a row; a token for TASK_TOKENS)
    tensor *target, *weight;
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

struct model_def {
    const char *name;
    const char *summary;
    int64_t params; // exact count, checked by a test and at build; 0: whatever is built
    model_task task;
    model_makes makes;
    const char *example; // what it is trained on (data/loader/example.h)
    const char *dialect; // which events its tokens stand for (docs/tokens.md); NULL: it takes none
    bool affect;         // elements 0 and 1 of the output are valence and arousal
    bool probe;          // a training-only Linear(output, classes) stands between output and loss
    int n_inputs;
    port inputs[MODEL_PORTS];
    port output;
    port target; // i32 class or token ids, or f32 vectors
    tensor *(*forward)(network *n, tensor *const in[]);
    // the other forms, often the same function; in[i] is NULL where the form does not hear that
    // input. NULL: the model has no state
    tensor *(*step)(network *n, tensor *const in[]);
    tensor *(*loss)(network *n, tensor *logits); // from n->target, n->weight: a scalar sum
    // Sizes that a configuration may change (base/key.h): a section and its keys, whole numbers or
    // bits in a struct of int64_t, each with its `own` default. NULL: it has one size.
    const config_key *options;
    int n_options;
    size_t sizes_bytes; // of that struct
    const void *sizes;  // of a configured model; NULL: the defaults
};

const model_def *model_find(const char *name); // NULL when there is none
// Found by their names, too, but not listed (guests.c); NULL behind the last.
extern const model_def *const model_guests[];
// ERR_USAGE with the nearest name when there is none
const model_def *model_named(const char *name, err *e) MUST_CHECK;
// in the order of models.def; NULL behind the last
const model_def *model_at(int i);
int model_count(void);
const model_def *model_making(model_makes what); // the first; NULL when there is none
// Declares parameters (or finds them), builds the graph. Owned by `a`.
network *model_build(const model_def *m, params *p, const model_dims *d, arena *a,
                     err *e) MUST_CHECK;
// A step of it has a cache of attention: states that are called past and present.
bool model_caches(const model_def *m);
// of one training step, as its ops count them (op.h)
int64_t model_flops(const model_def *m, const model_dims *d);

// `m` with other sizes: "layers=4 dim=128 cross=0", those left out as in `m`. NULL or "" gives `m`.
// ERR_VALUE for names, values or combinations that make no network. Everything that takes a
// model_def takes the result; checkpoints keep model_sizes as meta "sizes".
const model_def *model_configure(const model_def *m, const char *sizes, arena *a,
                                 err *e) MUST_CHECK;
// all of them, as model_configure reads them; "" without options
const char *model_sizes(const model_def *m, arena *a);
int64_t model_size(const network *n, const char *option);
// The struct of sizes as they are: defaults, or as configured; owned by `a` or by the model.
const void *model_sizes_of(const model_def *m, arena *a);

// Layers, for the model files: parameters NAME.weight, NAME.bias ... are declared as torch.nn does.
tensor *layer_linear(network *n, const char *name, tensor *x, int64_t out, activation act);
// without bias
tensor *layer_product(network *n, const char *name, tensor *x, int64_t out);
// NAME.weight [rows, width], normal
tensor *layer_table(network *n, const char *name, int64_t rows, int64_t width, float deviation);
tensor *layer_layer_norm(network *n, const char *name, tensor *x);
const char *layer_name(network *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// x [B, T, I] -> [B, T, hidden]. In a step (T is 1 there) its states are NAME.h and NAME.c.
tensor *layer_lstm(network *n, const char *name, tensor *x, int64_t hidden);
// The buffer `name` of shape s, which begins as `how` says (params.h); and what it is to hold
// behind a training step. Where adapters are trained, what they adapt stays as it is, buffers too.
tensor *layer_buffer(network *n, const char *name, shape s, init how);
void layer_keep(network *n, const tensor *buffer, tensor *value);
// Three linear layers fc1, fc2, fc3 of a, b, c outputs with ReLU between them.
tensor *layer_mlp3(network *n, tensor *x, int64_t a, int64_t b, int64_t c);
// A state of a step: its input is made here, `out` is the caller's to set. Not for STATE_GIVEN.
model_state *layer_state(network *n, state_kind kind, const char *name, shape s);
// What is made of inputs `once`, as they are heard in each step, before all, or (made NULL) were.
tensor *layer_given(network *n, const char *name, shape s, tensor *made);

#endif
