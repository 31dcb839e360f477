// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_file.h: an ONNX model as plain structs, and its file.
// https://github.com/onnx/onnx/blob/main/docs/IR.md
//
// onnx_file.c is the one file that knows protobuf: it turns these structs into a ModelProto and
// back. What stands above (emitter, front end, check, inspect) sees only what is here.
//
//     onnx_model *m = onnx_model_open(&arena);
//     onnx_add_input(m, (onnx_value){.name = "x", .type = ONNX_FLOAT, .rank = 2, .dim = {0, 64},
//         .sym = {"batch"}});
//     onnx_add_node(m, &(onnx_node){.op = "Relu", ...});
//     onnx_check(m, "out.onnx", e) && onnx_write(m, "out.onnx", e)
//
//     onnx_model *m = onnx_read("out.onnx", &arena, e);       // any file, however damaged
#ifndef KMIDI_EXPORT_ONNX_FILE_H
#define KMIDI_EXPORT_ONNX_FILE_H

#include "models/model.h"

enum { ONNX_OPSET = 17, ONNX_IR = 8, ONNX_RANK = 8 };

// Numbers of TensorProto.DataType and AttributeProto.AttributeType. Other numbers may occur in
// files that others wrote.
typedef enum onnx_type {
    ONNX_NONE,
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT8 = 3,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_BOOL = 9,
    ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11
} onnx_type;
typedef enum onnx_attr_type {
    ONNX_ATTR_FLOAT = 1,
    ONNX_ATTR_INT = 2,
    ONNX_ATTR_STRING = 3,
    ONNX_ATTR_INTS = 7
} onnx_attr_type;

// A named value with its type: an input, an output, or one in between. A dimension is a size, a
// symbol (sym set), or unknown (both empty: -1).
typedef struct onnx_value {
    const char *name;
    int type;
    int rank; // -1: not known
    int64_t dim[ONNX_RANK];
    const char *sym[ONNX_RANK];
} onnx_value;

// An initialiser. `data` is little-endian and not copied: it must live as long as the model.
typedef struct onnx_tensor {
    const char *name;
    int type;
    int rank;
    int64_t dim[ONNX_RANK];
    const void *data; // NULL when a file holds it in another form than raw_data
    size_t bytes;
    bool external; // the bytes are in another file
} onnx_tensor;

typedef struct onnx_attr {
    const char *name;
    int type;
    int64_t i;
    float f;
    int n;
    const int64_t *ints;
    const char *s;
} onnx_attr;

typedef struct onnx_node {
    const char *op, *name, *domain;
    int n_in, n_out, n_attr;
    const char **in, **out; // "" is an optional input left out
    onnx_attr *attrs;
} onnx_node;

typedef struct onnx_model {
    arena *arena;
    int64_t ir, opset;
    const char *producer, *producer_version, *name, *doc;
    int n_nodes, n_tensors, n_inputs, n_outputs, n_infos;
    int cap_nodes, cap_tensors, cap_inputs, cap_outputs, cap_infos;
    onnx_node *nodes;
    onnx_tensor *tensors;
    onnx_value *inputs, *outputs, *infos;
    model_meta meta;
} onnx_model;

// ---- Building. Strings and arrays of what is added are copied, bytes of tensors are not.
onnx_model *onnx_model_open(arena *a); // opset 17, IR 8, producer kmidi
void onnx_add_node(onnx_model *m, const onnx_node *n);
void onnx_add_tensor(onnx_model *m, const onnx_tensor *t);
void onnx_add_input(onnx_model *m, onnx_value v);
void onnx_add_output(onnx_model *m, onnx_value v);
void onnx_add_info(onnx_model *m, onnx_value v);

// ---- Files
bool onnx_write(const onnx_model *m, const char *path, err *e) MUST_CHECK; // whole or not at all
// owned by `a`; ERR_FORMAT, ERR_DAMAGED name the file
onnx_model *onnx_read(const char *path, arena *a, err *e) MUST_CHECK;
// the same from memory
onnx_model *onnx_decode(const char *path, const void *bytes, size_t n, arena *a, err *e) MUST_CHECK;
const char *onnx_protobuf_version(void);

// ---- Structure (onnx_check.c): names in order and assigned once, initialisers as long as their
// shapes say, outputs defined.
bool onnx_check(const onnx_model *m, const char *path, err *e) MUST_CHECK;

#endif
