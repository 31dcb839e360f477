// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors.h: named arrays in a file that PyTorch, PEFT and MLX read:
// https://github.com/huggingface/safetensors, README "Format".
//
//     8 bytes   N, the length of the header, little-endian
//     N bytes   JSON: {"__metadata__": {"format": "pt"}, "fc1.weight": {"dtype": "F32", "shape":
//               [512, 128], "data_offsets": [0, 262144]},
//     ...},
//               padded with spaces on the right
//     the rest  the arrays, row-major, little-endian; offsets count from here; no holes, no
//               overlap, nothing behind
//
// Reading checks all of that before a byte of data is touched: the file may come from anywhere.
// Only the header and what is asked for are ever in memory. What is sound is what the reference
// library (safetensors 0.8) takes: white space before the header, `"__metadata__": null`, keys of a
// tensor that are not known; but no name twice, which it passes over and the format forbids.
//
//     safetensors *s = safetensors_open("model.safetensors", &arena, e);
//     int i = safetensors_find(s, "fc1.weight");
//     safetensors_read(s, i, weights, e);                // as f32, whatever was stored
//     safetensors_close(s);
//
//     safetensors_load_params(path, p, &conversions, e);  // all of a model, strictly
//     safetensors_save_params(path, p, &meta, e);
#ifndef KMIDI_EXPORT_SAFETENSORS_H
#define KMIDI_EXPORT_SAFETENSORS_H

#include "export/weights.h"

// ---- Reading ----

typedef struct safetensors safetensors;

// Owned by `a`, but for the descriptor. ERR_MISSING, ERR_EMPTY, ERR_FORMAT (not safetensors),
// ERR_DAMAGED (offsets, sizes, trailing bytes): one sentence with the file and the tensor.
safetensors *safetensors_open(const char *path, arena *a, err *e) MUST_CHECK;
void safetensors_close(safetensors *s); // accepts NULL
const weights_index *safetensors_listing(const safetensors *s);
int safetensors_find(const safetensors *s, const char *name); // -1 when there is none
// Entry i as f32 into out[count]. F32, F16, BF16 and F64 are taken, and a scalar I64, which counts;
// ERR_VALUE for other types and for values that are not finite f32.
bool safetensors_read(safetensors *s, int i, float *out, err *e) MUST_CHECK;
// Every byte of the data, whatever its type: what a file may hold is sound, though it may be no
// weights.
bool safetensors_verify(safetensors *s, err *e) MUST_CHECK;
// The header alone, for tests: n bytes of JSON, before `data_bytes` bytes of data. `path` is for
// messages.
bool safetensors_parse(const char *path, const char *header, size_t n, uint64_t data_bytes,
                       arena *a, weights_index *out, err *e) MUST_CHECK;

// ---- Writing ----

// Written whole or not at all (base/file.h), in the reference writer's order: the widest type
// first, then by name. The metadata always has "format": "pt".
bool safetensors_write(const char *path, const weights_source *list, int n, const model_meta *meta,
                       err *e) MUST_CHECK;

// ---- A model's parameters (weights.h) ----

weights *safetensors_weights(const char *path, arena *a, err *e) MUST_CHECK;
bool safetensors_load_params(const char *path, params *p, int *converted, err *e) MUST_CHECK;
bool safetensors_check_params(const char *path, const params *p, err *e) MUST_CHECK;
// The counted parameters and the buffers, or all of them (`probe`).
bool safetensors_save_params(const char *path, const params *p, bool probe, const model_meta *meta,
                             err *e) MUST_CHECK;

#endif
