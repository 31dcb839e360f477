// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.h: a trained network as an ONNX file: opset 17, IR 8, one file, batch and length free.
//
//     onnx_options o = {.classes = 4, .probabilities = true, .meta = &checkpoint->meta};
//     onnx_export("emotion.onnx", model, params, &o, e);
//
// Inputs and outputs have the names of model.h's ports, with the dimensions "batch" and "time".
// Integer inputs are int64, as PyTorch's are. Without a front end, `mel` is what the network was
// trained on: log-mel frames, standardised per band. With one, the file takes `waveform` [batch,
// samples] and does everything inside: see onnx_front.
//
// With `past`, a model that has a step (model.h) becomes its form with a cache of keys and values:
// see onnx_past.c.
//
// A network with a probe (a checkpoint with labels) has a second output, `probabilities` [batch,
// classes], in the order of the metadata `labels`; one of several groups, too: a softmax of each,
// side by side as in the output, in the order of the metadata `groups`. Metadata: what the
// checkpoint carries (labels, feature settings, mean, deviation, window), and model, fingerprint,
// input.
#ifndef KMIDI_EXPORT_ONNX_H
#define KMIDI_EXPORT_ONNX_H

#include "export/onnx_file.h"
#include "export/quantise.h"

typedef enum onnx_crop { ONNX_CROP_LAST, ONNX_CROP_CENTER, ONNX_CROP_FIRST } onnx_crop;

// How samples become standardised frames. Plain numbers: export/ knows nothing of data/.
typedef struct onnx_front {
    int sample_rate, n_fft, hop, n_mels; // Hz, samples, samples, bands
    const float *window;                 // [n_fft]
    const float *bank;                   // [n_mels][n_fft / 2 + 1]
    int power;                           // 1 or 2
    // frame i around sample i * hop; the ends reflected, else zeros
    bool center, reflect;
    bool ln;             // natural logarithm, else decibels (or none: log false)
    bool log, add_floor; // log(x + floor) where add_floor, else log(max(x, floor))
    float floor;
    // decibels below the item's largest value at which all is cut; 0: no limit
    float top_db;
    // [24][12]: by these the last twelve values of a frame are turned to their key, lengths below
    // keys_least counting little (chroma_turn.h); NULL: they are not
    const float *keys;
    float keys_least;
    // mean 0 and deviation 1 of all the item's values, or of each band's; deviations below the last
    // count as it
    bool level; // the last of n_mels is the largest sample of all frames, to `power`
    bool normal, normal_bands;
    float normal_least;
    const float *mean, *deviation; // [n_mels]; NULL: not standardised
    // of the network's window: shorter items are padded in front with zeros (the mean). 0: as they
    // are
    int64_t frames;
    // of a picture [1, n_mels, columns] of all frames, each column the mean of its share of them;
    // 0: windows. Other inputs of the network stay beside the waveform
    int64_t columns;
    bool picture;   // a window goes in as [1, n_mels, frames]
    onnx_crop crop; // of one window alone
    // of a longer item, spread evenly over it, whose outputs are averaged; 0, or beyond 2 * views
    // windows: as many as cover it
    int views;
} onnx_front;

typedef struct onnx_options {
    int classes;        // of the probe among the parameters; 0 without one
    bool probabilities; // a second output, from the probe or of groups
    bool past;          // the form with a cache: see onnx_past.c
    quantise_form form; // of the weights, which quantise_params has rounded
    const onnx_front *front;
    const model_meta *meta; // may be NULL
} onnx_options;

// The model in memory, owned by `a`; it shares the bytes of `p`.
onnx_model *onnx_build(const model_def *m, params *p, const onnx_options *o, arena *a,
                       err *e) MUST_CHECK;
// onnx_build, onnx_check, onnx_write, and the file read back and compared.
bool onnx_export(const char *path, const model_def *m, params *p, const onnx_options *o,
                 err *e) MUST_CHECK;

// Gives every value between inputs and outputs its type and shape (onnx_shapes.c). ERR_INTERNAL: an
// output is not what it is said to be.
bool onnx_shapes(onnx_model *m, err *e) MUST_CHECK;

// ---- For onnx.c. The cache's inputs `past_key_values.N.key` and `.value`, bound to the states
// of the step; and what a step leaves, `present.N.key` and `.value`, once the output is emitted.
struct emitter;
void onnx_past_inputs(struct emitter *m, onnx_model *model, network *n);
void onnx_past_outputs(struct emitter *m, onnx_model *model, network *n);

// Values inside a front end, for who has them already: the network's windows [n, frames, bands] or
// pictures, and how many of them are an item's.
#define ONNX_FRAMES "frames"
#define ONNX_COUNT  "count"

// Emits the front end between the ONNX value `waveform` [batch, samples] and the value that is
// returned, [batch * count, frames, n_mels] or pictures, an item's windows one behind the other,
// with their number `count`, a tensor of one element; and the average over windows behind the
// network, [batch * count, n] -> `out` [batch, n].
const char *onnx_front_emit(struct emitter *m, const onnx_front *f, const char *waveform,
                            const char **count);
void onnx_front_average(struct emitter *m, const char *windows, const char *count, int64_t n,
                        const char *out);

#endif
