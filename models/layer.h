// SPDX-License-Identifier: GPL-3.0-or-later
// layer.h: layers, for the files of models/: parameters NAME.weight, NAME.bias ... are declared as
// torch.nn does, and adapters (network.h) change them here, so that any model can be adapted.
#ifndef KMIDI_MODELS_LAYER_H
#define KMIDI_MODELS_LAYER_H

#include "models/model.h"

tensor *layer_linear(network *n, const char *name, tensor *x, int64_t out, activation act);
// without bias
tensor *layer_product(network *n, const char *name, tensor *x, int64_t out);
// NAME.weight [rows, width], normal
tensor *layer_table(network *n, const char *name, int64_t rows, int64_t width, float deviation);
// NAME [..], normal; where it has two axes it is taken for no matrix of a product
tensor *layer_parameter(network *n, const char *name, shape s, float deviation);
tensor *layer_layer_norm(network *n, const char *name, tensor *x);
const char *layer_name(network *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Pictures x [B, H, W, I], channels last, -> [B, H', W', out]; the weight is torch.nn.Conv2d's
// [out, I, kernel, kernel].
typedef struct window {
    int64_t kernel, stride, padding;
} window;
tensor *layer_conv2d(network *n, const char *name, tensor *x, int64_t out, window w,
                     activation act);
// NAME.conv, and over its outputs NAME.norm, torch.nn.BatchNorm2d: in training by the statistics of
// the batch, else by the running ones, which then cost nothing. The convolution's bias moves the
// running mean alone in training, and its gradient there is zero.
tensor *layer_conv_norm(network *n, const char *name, tensor *x, int64_t out, window w,
                        activation act);
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
