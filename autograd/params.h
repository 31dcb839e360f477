// SPDX-License-Identifier: GPL-3.0-or-later
// params.h: a model's weights. One table of names, shapes and offsets; one flat f32 buffer for the
// weights, and one each for gradients and optimiser moments that hold the trainable parameters
// only: a frozen parameter costs neither.
//
// A buffer (torch's register_buffer) lies among the weights too, and has a name in checkpoints and
// exports as they do; but it is not trained and not counted: a training step writes it, from what
// the graph says (graph_write), for statistics of what went through it.
//
// The optimiser, clipping, EMA, checkpoints and fingerprints are loops over a flat buffer and this
// table.
//
//     int w = params_declare(p, "fc1.weight", shape_of(2, 512, 128),
//                            (init){INIT_UNIFORM, 1 / sqrt(128)}, e);
//     p->list[w].trainable = false;           // frozen; before params_allocate
//     params_allocate(p, 2, e);               // two moments for AdamW
//     params_init(p, seed);
#ifndef KMIDI_AUTOGRAD_PARAMS_H
#define KMIDI_AUTOGRAD_PARAMS_H

#include "autograd/graph.h"

typedef enum init_kind { INIT_ZERO, INIT_ONE, INIT_UNIFORM, INIT_NORMAL } init_kind;
typedef struct init {
    init_kind kind;
    float scale; // UNIFORM: in [-scale, scale); NORMAL: deviation
} init;

typedef struct param {
    const char *name;
    shape shape;
    init init;
    bool trainable;
    // false for training-only parts (the probe head): left out of the model's count and of exports
    bool counted;
    bool buffer;     // written by training steps: neither trainable nor counted
    bool adapter;    // of a low-rank adapter (never counted): checkpoints keep it apart
    bool table;      // rows that are looked up, not a matrix between two layers
    int64_t count;   // elements
    int64_t offset;  // element offset in `weights` (a multiple of 16)
    int64_t goffset; // element offset in `grads` and moments; -1 when frozen
} param;

enum { PARAMS_MOMENTS = 3 };
typedef struct params {
    arena *arena; // owner of the table
    param *list;
    int n, cap;
    float *weights, *grads, *moment[PARAMS_MOMENTS];
    int n_moments;
    int64_t weights_len, grads_len; // elements, padding included (padding is zero and stays zero)
} params;

params *params_open(arena *a);
// The index of `name`, declared now or before (then with the same shape, else -1 and ERR_SHAPE).
int params_declare(params *p, const char *name, shape s, init how, err *e);
// The same for a buffer, which begins as `how` says.
int params_declare_buffer(params *p, const char *name, shape s, init how, err *e);
int params_find(const params *p, const char *name); // -1 when there is none
// elements of counted parameters (all trainable ones where trainable_only)
int64_t params_count(const params *p, bool trainable_only);
// offsets of all that was declared; a plan is made from them
void params_layout(params *p);
// lays out and zeroes the buffers
bool params_allocate(params *p, int n_moments, err *e) MUST_CHECK;
// the buffers; the table goes with its arena
void params_release(params *p);
// as PyTorch draws them; each parameter from its own named stream
void params_init(params *p, uint64_t seed);
// of all buffers, known before they are allocated
uint64_t params_bytes(const params *p, int n_moments);
// elements that a parameter of `count` takes in a buffer
int64_t params_padded(int64_t count);
static inline float *params_at(const params *p, int i)
{
    return p->weights + p->list[i].offset;
}
// The first element of x [q->count], read from a file for the buffer q, that no statistic is: no
// finite number, or a variance below 0. -1: none, or q is no buffer.
int64_t params_unsound(const param *q, const float *x);
// Bytes of all buffers, one behind the other, out of the weights and back: what a step that is not
// finished has written must not stay.
int64_t params_buffers(const params *p); // elements
void params_keep_buffers(const params *p, float *to);
void params_restore_buffers(params *p, const float *from);
// SHA-256 over sorted name, shape, dtype, bytes of the counted parameters and the buffers: what
// adapters and exports call the fingerprint.
void params_fingerprint(const params *p, char hex[65]);

#endif
