// SPDX-License-Identifier: GPL-3.0-or-later
// rtneural.h: a network as JSON for RTNeural (https://github.com/jatinchowdhury18/RTNeural), which
// runs it a frame at a time where sound is made. What its loader takes (RTNeural/model_loader.h):
//
//     {"in_shape": [null, null, 128],
//      "layers": [{"type": "dense", "activation": "relu", "shape": [null, null, 512],
//                  "weights": [kernel [in][out], bias [out]]},
//                 {"type": "lstm", "activation": "", "shape": [null, null, 128],
//                  "weights": [W [in][4 H], U [H][4 H], b [4 H]]}, ...]}      gates i f c o
//
// It passes over a layer whose type it does not know without a word, and an activation that it does
// not know becomes none: so whatever is none of dense, lstm, tanh, relu, sigmoid and softmax, one
// behind the other, is refused here. It has convolutions, but no strides in time, and no pooling:
// our networks of pictures do not fit. Keys that it does not know it leaves alone:
//
//     "input_batch", "output_batch"   frames in, and what must come out, from a fresh state on
//     "note_codes"                    of a network of notes: what stands for note n is row n + 1
//     "metadata"                      texts by name
#ifndef KMIDI_EXPORT_RTNEURAL_H
#define KMIDI_EXPORT_RTNEURAL_H

#include "models/model.h"

typedef enum rtneural_kind { RTNEURAL_DENSE, RTNEURAL_LSTM, RTNEURAL_ACTIVATION } rtneural_kind;

typedef struct rtneural_layer {
    rtneural_kind kind;
    const char *activation; // "" none
    int64_t in, out;
    const float *w; // [in, out]; LSTM: [in, 4 out]
    const float *u; // LSTM: [out, 4 out]
    const float *b; // [out]; LSTM: [4 out]
} rtneural_layer;

enum { RTNEURAL_LAYERS = 32 };

typedef struct rtneural {
    int n;
    rtneural_layer layer[RTNEURAL_LAYERS];
    const float *codes; // [n_codes, in of the first layer]; NULL: the input goes in as it is
    int64_t n_codes;
} rtneural;

// Frames of an example, row by row.
typedef struct rtneural_example {
    int64_t frames;
    const float *x, *y;
} rtneural_example;

// From the portable forms of the network's ops. Owned by `a`. ERR_VALUE names what RTNeural has
// not.
rtneural *rtneural_build(const model_def *m, params *p, arena *a, err *e) MUST_CHECK;

// rtneural_file.c: written whole or not at all (base/file.h); and a file of ours again.
bool rtneural_write(const char *path, const rtneural *r, const rtneural_example *x,
                    const model_meta *meta, err *e) MUST_CHECK;
rtneural *rtneural_read(const char *path, arena *a, err *e) MUST_CHECK;

// rtneural_run.c: plainly, from a fresh state on: y [frames, out of the last layer].
void rtneural_run(const rtneural *r, const float *x, int64_t frames, float *y);

#endif
