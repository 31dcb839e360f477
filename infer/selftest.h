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

#include "infer/trained.h"

// What the network's output is for the same input, [*n] owned by `a`: for comparing one form of the
// weights with another.
bool selftest_values(const trained *d, const env *v, arena *a, float **values, int64_t *n,
                     err *e) MUST_CHECK;

enum { SELFTEST_MOST = 16384, SELFTEST_FRAMES = 20 };

// Element i of an input of f32; of whole numbers i mod `below`.
double selftest_wave(int64_t i);

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

#endif
