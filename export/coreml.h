// SPDX-License-Identifier: GPL-3.0-or-later
// coreml.h: a trained network as a Core ML package: an ML program of specification 7 (iOS 16,
// macOS 13), whose sizes are fixed when it is written: they are what the Neural Engine takes.
//
//     coreml_options o = {.batch = 1, .time = 150, .classes = 4, .probabilities = true,
//                         .meta = &checkpoint->meta};
//     coreml_export("emotion.mlpackage", model, params, &o, &bytes, e);
//
// Inputs and outputs have the names of model.h's ports; they are arrays of f32 or i32.
// `probabilities` and the metadata are those of onnx.h.
#ifndef KMIDI_EXPORT_COREML_H
#define KMIDI_EXPORT_COREML_H

#include "models/model.h"

// Weights (matrices, filters, tables; as quantise.h) stand in the file in halves but in COREML_F32;
// where they are computed with in f32, a constexpr_cast widens them when the program is loaded.
typedef enum coreml_form {
    COREML_F16,         // computed in halves; LSTMs, the last product and what follows it in f32
    COREML_F16_WEIGHTS, // computed in f32
    COREML_F32,
} coreml_form;

typedef struct coreml_options {
    int64_t batch, time; // 0: 1
    int classes;         // of the probe among the parameters; 0 without one
    bool probabilities;  // a second output, from the probe or of groups
    coreml_form form;
    const model_meta *meta; // may be NULL
} coreml_options;

const char *coreml_form_text(coreml_form form);
// ERR_VALUE names what Core ML lacks, or a weight that halves cannot hold. *bytes: of the program
// and its numbers.
bool coreml_export(const char *path, const model_def *m, params *p, const coreml_options *o,
                   int64_t *bytes, err *e) MUST_CHECK;

#endif
