// SPDX-License-Identifier: GPL-3.0-or-later
// checkpoint.h: a run at one instant, in one HDF5 file: everything that is needed to go on bit for
// bit, or to use the model.
//
//     /meta/NAME      texts: model, config (resolved YAML), revision, and all of model_meta (below)
//     /params/NAME    f32 weights, the training-only probe too ("probe.weight")
//     /buffers/NAME   f32 buffers of models that have some (autograd/params.h)
//     /lora/NAME      f32 factors of adapters ("fc1.lora_A.weight"); /params then holds the frozen
//                     model that they are added to
//     /ema/NAME       f32 shadow weights, where train.ema was on: what evaluation and export use
//     /optim/M/NAME   f32 moment M ("moment1", "moment2") of each trainable parameter
//     /state/NAME     numbers: step, epoch, loader position, seed, best, patience, offsets of the
//                     metric file (checkpoint_state.def)
//
// and attributes of the root: format "kmidi-checkpoint", format_version, model. Each dataset has
// its checksum, verified when it is read. A file is written beside its name, synced and renamed
// (h5.h): it is whole or not there.
//
//     checkpoint *k = checkpoint_open("runs/x/checkpoints/best.h5", &arena, e);
//     params *p = params_open(&arena);
//     model_dims d = {.batch = 1, .time = 150, .classes = k->classes};
//     network *n = model_build(k->model, p, &d, &arena, e);
//     params_allocate(p, 0, e) && checkpoint_weights(k, p, e);
//     checkpoint_close(k);
//
// Keys of model_meta that training writes (texts; lists are JSON), all from the training data: what
// the model hears (data/hear/hear.h), and
//     sizes            "layers=8 dim=384 .."   of a model whose sizes are options; `model` has them
//     baseline         [numbers]     what is said by one who looks at nothing (train/baseline.h)
//     bf16x3           chosen for each product (autograd/passes/precision.h)
//     activations      chosen by memory.activations=auto
//     dataset, synthetic, data_digest   name of the data, "true" where it was made up, its SHA-256
//     licence, citation   of the published data, where it has them
//     adapter, adapter_base, adapter_dropout   of /lora: its adapter_config.json, the fingerprint
//                      of the model that it adapts, and the dropout
#ifndef KMIDI_CHECKPOINT_CHECKPOINT_H
#define KMIDI_CHECKPOINT_CHECKPOINT_H

#include "autograd/optim.h"
#include "base/h5.h"
#include "models/model.h"

enum { CHECKPOINT_VERSION = 1 };
#define STATE_MOST INT64_C(1000000000000)

// Where a run stands. One row a field in checkpoint_state.def: struct, writer, reader and
// comparison follow from it.
typedef struct checkpoint_state {
#define STATE_INT(name, least, most, help) int64_t name;
#define STATE_NUM(name, least, most, help) double name;
#define STATE_LATER                        STATE_INT
#define STATE_ANY(name, help)              double name;
#include "checkpoint/checkpoint_state.def"
#undef STATE_INT
#undef STATE_NUM
#undef STATE_LATER
#undef STATE_ANY
} checkpoint_state;

// ---- Read

typedef struct checkpoint {
    const char *path;
    const model_def *model;
    int classes;        // rows of the probe; 0 without one
    const char *config; // YAML; "" for imported weights
    model_meta meta;
    bool has_state, has_ema;
    const char *adapter;    // adapter_config.json of /lora; NULL without
    checkpoint_state state; // where has_state
    h5 *file;
} checkpoint;

// Opens and checks what stands before the weights. Damage is ERR_DAMAGED: the sentence names the
// file, the dataset, and the newest intact checkpoint of the same folder where there is one. Texts
// are owned by `a`.
checkpoint *checkpoint_open(const char *path, arena *a, err *e) MUST_CHECK;
void checkpoint_close(checkpoint *k); // accepts NULL
// The weights for use: EMA weights where the file has them, adapters added to what they adapt
// unless `p` has them too. Every parameter of `p` must be there with its shape, and nothing that
// `p` has no place for: ERR_MISMATCH names the first.
bool checkpoint_weights(checkpoint *k, params *p, err *e) MUST_CHECK;
// The same for a new run (init_from, lora.base): parameters that are not the model's own stay as
// they are: adapters, and the probe where the file has none of its shape. The file's probe may be
// left out.
bool checkpoint_start(checkpoint *k, params *p, err *e) MUST_CHECK;
// Everything for going on: weights, moments, and EMA (where `ema` is not NULL, of p->grads_len).
bool checkpoint_resume(checkpoint *k, params *p, float *ema, err *e) MUST_CHECK;
// Path of the file that a name stands for: a file itself; a run folder: its checkpoints/NAME.h5
// ("last" for "best" in a run that was never evaluated). ERR_MISSING names what is there.
char *checkpoint_find(arena *a, const char *run_or_file, const char *name, err *e) MUST_CHECK;

// ---- Write

typedef struct checkpoint_content {
    const model_def *model;
    const char *config;            // may be NULL
    const model_meta *meta;        // may be NULL
    const params *params;          // with its moments
    const checkpoint_state *state; // NULL: weights only
    const float *ema;              // NULL: none
} checkpoint_content;

bool checkpoint_save(const char *path, const checkpoint_content *c, err *e) MUST_CHECK;

#endif
