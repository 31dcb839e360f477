// SPDX-License-Identifier: GPL-3.0-or-later
// selftest.h: an example that travels inside an exported model: an input that a formula gives, and
// what our own run makes of it. Whoever deploys the model can check in a minute that their runtime,
// their loading and their platform compute the same network.
//
// Metadata `selftest`, JSON; i counts the elements of an input in row-major order:
//
//     {"inputs": [{"name": "mel", "shape": [1, 20, 128], "value": "sin(0.37 * i)"}],
//      "outputs": [{"name": "embedding", "shape": [1, 64], "values": [...]}, ...],
//      "tolerance": 0.0001}                        of fp16 0.2%, of int8 2%, of dynamic int8 5%
//                                                  of the largest
//
// Of an output of more than SELFTEST_MOST elements the values are the first so many.
#ifndef KMIDI_INFER_SELFTEST_H
#define KMIDI_INFER_SELFTEST_H

#include "export/onnx_run.h"
#include "infer/trained.h"

enum { SELFTEST_MOST = 16384 };

// How long it is, if nothing else is said: frames, or tokens, of which few show the mask, the
// positions and what is carried on, and each has a row of numbers.
int64_t selftest_time(const model_def *m);

#define SELFTEST_WAVE   "sin(0.37 * i)"
#define SELFTEST_RISING "0.5 * sin(1e-5 * i * i)"

// Element i of an input of f32; of whole numbers i mod `below`.
double selftest_wave(int64_t i);
double selftest_rising(int64_t i); // of a waveform

// What is exported.
typedef struct selftest_of {
    bool probabilities, past; // as onnx_options has them
    quantise_form form;
    int64_t batch, time; // of an export whose sizes are fixed; 0: they are free
} selftest_of;

// Adds it for the network alone, or (after trained_mel) for a waveform.
bool selftest_network(const trained *d, const env *v, const selftest_of *of, model_meta *meta,
                      err *e) MUST_CHECK;
bool selftest_front(const trained *d, const env *v, const selftest_of *of, model_meta *meta,
                    err *e) MUST_CHECK;

// The network's output for the same input, or what it hears of the same waveform, [*n] owned by
// `a`: for comparing one form of the weights with another.
bool selftest_values(const trained *d, const env *v, const selftest_of *of, arena *a,
                     float **values, int64_t *n, err *e) MUST_CHECK;
bool selftest_front_values(const trained *d, const env *v, arena *a, float **values, int64_t *n,
                           err *e) MUST_CHECK;

// ---- Read again, of any file that carries one (selftest_read.c)

enum { SELFTEST_PORTS = 64 };

typedef struct selftest_example {
    int n_in, n_out;
    onnx_named in[SELFTEST_PORTS], out[SELFTEST_PORTS]; // of an output as many numbers as it has
    double tolerance;
} selftest_example;

// Owned by `a`. ERR_EMPTY: there is none; ERR_DAMAGED: one that cannot be meant.
bool selftest_read(const model_meta *meta, const char *path, arena *a, selftest_example *x,
                   err *e) MUST_CHECK;

#endif
