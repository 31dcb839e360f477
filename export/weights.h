// SPDX-License-Identifier: GPL-3.0-or-later
// weights.h: a file of named arrays, whichever program's, as the parameters of a model: one to one,
// or not at all.
//
//     weights *w = weights_open("model.pt", &arena, e);     // or .safetensors: its bytes say
//     weights_strip(w, "module.", e)                        // DataParallel's prefix
//     weights_load(w, p, &converted, e)                     // all of a model, strictly
//     weights_close(w);
//
// A key that only one side has, or a shape that differs, means another network, another naming or a
// half-written file; loading what fits and warning about the rest is how models end up silently
// untrained.
#ifndef KMIDI_EXPORT_WEIGHTS_H
#define KMIDI_EXPORT_WEIGHTS_H

#include "models/model.h"

enum { WEIGHTS_RANK = 8 }; // of what is written

typedef struct weights_entry {
    const char *name;
    const char *dtype; // "F32", as safetensors calls it
    bool is_float;     // F32, F16, BF16, F64, or a scalar I64: may be weights
    int rank;
    const int64_t *dim;
    int64_t count;       // elements; 1 for a scalar, 0 where a dimension is 0
    uint64_t begin, end; // safetensors: bytes from the start of the data
} weights_entry;

// What a file says of its arrays, in the order in which it has them.
typedef struct weights_index {
    int n;
    weights_entry *list;
    model_meta meta;
} weights_index;

// ---- Reading ----

typedef struct weights {
    const char *path;
    weights_index *index;
    // What kind of file it is fills these.
    void *of;
    bool (*read)(void *of, int i, float *out, err *e);
    bool (*verify)(void *of, err *e);
    void (*close)(void *of);
} weights;

// Owned by `a`, but for the descriptor. A zip file is PyTorch's (torch_file.h), all else is taken
// for safetensors (safetensors.h); errors are theirs.
weights *weights_open(const char *path, arena *a, err *e) MUST_CHECK;
void weights_close(weights *w);                       // accepts NULL
int weights_find(const weights *w, const char *name); // -1 when there is none
// Takes `prefix` off the names that begin with it. ERR_USAGE where none does.
bool weights_strip(weights *w, const char *prefix, arena *a, err *e) MUST_CHECK;
// Fills the allocated params. Names and shapes must match one to one, else ERR_MISMATCH lists what
// is missing, unexpected and misshapen, or says which prefix all names have; then nothing was
// changed. Uncounted parameters (the probe) may be in the file, all of them or none. `converted`:
// how many were not F32; may be NULL.
bool weights_load(weights *w, params *p, int *converted, err *e) MUST_CHECK;
// Names and shapes alone, before anything is allocated.
bool weights_check(const weights *w, const params *p, err *e) MUST_CHECK;

// For readers of kinds of files: ERR_VALUE names a tensor whose type is none of weights, or one of
// whose n values is no finite number.
bool weights_allowed(const char *path, const weights_entry *t, err *e) MUST_CHECK;
bool weights_finite(const char *path, const char *name, const float *x, int64_t n,
                    err *e) MUST_CHECK;

// ---- Writing ----

typedef struct weights_source {
    const char *name;
    int rank;
    int64_t dim[WEIGHTS_RANK];
    const float *data;
    bool counts; // a scalar that is written as I64
} weights_source;

uint64_t weights_source_bytes(const weights_source *t);
// A scalar that counts, as I64, little-endian.
void weights_count_bytes(float x, uint8_t bytes[8]);
// The counted parameters and the buffers of a model, or all of them (`probe`), in their order;
// *n of them, owned by `a`.
weights_source *weights_sources(const params *p, bool probe, arena *a, int *n);

#endif
