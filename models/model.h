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

#include "autograd/ops.h"
#include "base/key.h"
#include "base/meta.h"
#include "models/network.h"

// An input, output or target. A free dimension has size 0 and a symbol (SYM_BATCH "batch", SYM_TIME
// "time").
typedef struct port {
    const char *name;
    dtype type;
    int rank;
    int64_t dim[RANK_MAX];
    const char *of[RANK_MAX]; // the option that says a dimension; NULL: `dim` does
    uint8_t sym[RANK_MAX];
    int below; // i32: values lie in [low, below)
    int low;
    bool once; // the same in all steps of a sequence: heard once, before them (FORM_ONCE)
} port;

// TASK_CLOUDS: points of ten numbers, places, colours and three more (spectocloud_vit.c).
typedef enum model_task {
    TASK_CLASSES,
    TASK_TOKENS,
    TASK_REGRESSION,
    TASK_GROUPS,
    TASK_CLOUDS
} model_task;

// TASK_GROUPS: one of the softmaxes that lie side by side in an output. An item has a class of each
// group, or none (-1), which costs nothing. The names of the classes are the data's
// (data/labels/labels.h), and go into checkpoints with them.
typedef struct model_group {
    const char *name; // as the data call it, too: "family"
    int offset, size; // it is the numbers [offset, offset + size) of the output
    float weight;     // of its loss
    float smoothing;  // part of train.label_smoothing that it takes
    // where kmidi predict says it: "technical.register", or of ordered classes ("level") the mean
    // place, from `low` to 1; and, or NULL, how sure it is, and the class' id in the thesaurus
    const char *says, *confidence, *id;
    bool level;
    float low;
} model_group;

// What its output is for, where there is music to be made of it (infer/).
typedef enum model_makes {
    MAKES_NONE,
    MAKES_NOTES,    // pitches of a melody, one by one
    MAKES_EVENTS,   // performance events (`dialect`), one by one
    MAKES_CHORDS,   // chord ids, a bar at a time
    MAKES_GROOVE,   // tempo, timing and accents
    MAKES_DYNAMICS, // loudness over a phrase
} model_makes;

struct model_def {
    const char *name;
    const char *summary;
    int64_t params; // exact count, checked by a test and at build; 0: whatever is built
    model_task task;
    model_makes makes;
    const char *example; // what it is trained on (data/loader/example.h)
    const char *dialect; // which events its tokens stand for (docs/tokens.md); NULL: it takes none
    bool affect;         // elements 0 and 1 of the output are valence and arousal
    // its norms take the statistics of what is computed at once: a step's parts are then
    // train.batch_size each
    bool batch_statistics;
    bool probe; // a training-only Linear(output, classes) stands between output and loss
    int n_inputs;
    port inputs[MODEL_PORTS];
    port output;
    port target;               // i32 class or token ids, or f32 vectors
    const model_group *groups; // TASK_GROUPS; target [B, n_groups]
    int n_groups;
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
// As model_configure reads them, "" without options: those that may go unsaid (base/key.h) do where
// they are the reference's, as in files of versions before them; or all, for people.
const char *model_sizes(const model_def *m, arena *a);
const char *model_sizes_whole(const model_def *m, arena *a);
int64_t model_size(const network *n, const char *option);
// Its input "mel", NULL where it has none; and of it the bands, and the frames that it takes (0:
// any).
const port *model_mel(const model_def *m);
int64_t model_bands(const port *mel);
int64_t model_frames(const port *mel);
// What the logits come to: their softmax, or of each group its own, side by side.
tensor *model_probabilities(network *n);
// The group of that name, its index; -1 where there is none.
int model_find_group(const model_def *m, const char *name);
// The struct of sizes as they are: defaults, or as configured; owned by `a` or by the model.
const void *model_sizes_of(const model_def *m, arena *a);

#endif
