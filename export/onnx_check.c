// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_check.c: the structural rules of the ONNX specification that a damaged or ill-made file
// breaks: what onnx.checker asks of names, order and initialisers. Types and shapes between nodes
// are not inferred here.
#include <inttypes.h>
#include <string.h>

#include "base/names.h"
#include "base/str.h"
#include "export/onnx_file.h"

static size_t type_size(int type)
{
    static const uint8_t sizes[] = {
        [ONNX_FLOAT] = 4, [2] = 1,          [3] = 1,         [4] = 2,   [5] = 2,
        [ONNX_INT32] = 4, [ONNX_INT64] = 8, [ONNX_BOOL] = 1, [10] = 2,  [11] = 8,
        [12] = 4,         [13] = 8,         [14] = 8,        [15] = 16, [16] = 2};
    return type > 0 && type < (int)(sizeof sizes) ? sizes[type] : 0;
}

static bool check_tensor(const onnx_tensor *t, const char *path, err *e)
{
    uint64_t bytes = type_size(t->type);
    if (t->external)
        return err_set(
            e, ERR_FORMAT,
            "'%s': tensor '%s' keeps its bytes in another file; save the model as one file", path,
            t->name);
    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i] < 0 || (t->dim[i] && bytes > (uint64_t)(INT64_MAX / t->dim[i])))
            return err_set(e, ERR_DAMAGED, "'%s': tensor '%s' has an impossible dimension %" PRId64,
                           path, t->name, t->dim[i]);
        bytes *= (uint64_t)t->dim[i];
    }
    if (t->data && bytes != t->bytes)
        return err_set(e, ERR_DAMAGED, "'%s': tensor '%s' has %zu bytes, its shape needs %" PRIu64,
                       path, t->name, t->bytes, bytes);
    return true;
}

static bool define(name_set *seen, const char *name, const char *what, const char *path, err *e)
{
    if (!*name || !str_utf8(name, strlen(name)))
        return err_set(e, ERR_DAMAGED, "'%s': a %s has no valid name", path, what);
    if (!name_set_add(seen, name))
        return err_set(e, ERR_DAMAGED, "'%s': the name '%s' is assigned twice", path, name);
    return true;
}

static bool check_node(const onnx_node *n, name_set *seen, const char *path, err *e)
{
    if (!*n->op)
        return err_set(e, ERR_DAMAGED, "'%s': node '%s' has no operator", path, n->name);
    for (int i = 0; i < n->n_in; i++)
        if (*n->in[i] && !name_set_has(seen, n->in[i]))
            return err_set(e, ERR_DAMAGED,
                           "'%s': %s node '%s' uses '%s' before anything defines it", path, n->op,
                           n->name, n->in[i]);
    for (int i = 0; i < n->n_attr; i++)
        if (!n->attrs[i].type || !*n->attrs[i].name)
            return err_set(e, ERR_DAMAGED,
                           "'%s': %s node '%s' has an attribute without name or type", path, n->op,
                           n->name);
    for (int i = 0; i < n->n_out; i++)
        if (*n->out[i] && !define(seen, n->out[i], "node's output", path, e))
            return false;
    return true;
}

static bool check_names(const onnx_model *m, name_set *seen, const char *path, err *e)
{
    for (int i = 0; i < m->n_tensors; i++)
        if (!define(seen, m->tensors[i].name, "tensor", path, e) ||
            !check_tensor(&m->tensors[i], path, e))
            return false;
    // An input that is an initialiser too has that as its default; before IR 4 all are both.
    name_set inputs = {.arena = seen->arena};
    for (int i = 0; i < m->n_inputs; i++) {
        if (!define(&inputs, m->inputs[i].name, "input", path, e))
            return false;
        (void)name_set_add(seen, m->inputs[i].name);
    }
    for (int i = 0; i < m->n_nodes; i++)
        if (!check_node(&m->nodes[i], seen, path, e))
            return false;
    for (int i = 0; i < m->n_outputs; i++)
        if (!name_set_has(seen, m->outputs[i].name))
            return err_set(e, ERR_DAMAGED, "'%s': nothing computes the output '%s'", path,
                           m->outputs[i].name);
    return true;
}

bool onnx_check(const onnx_model *m, const char *path, err *e)
{
    if (m->ir < 1 || m->opset < 1)
        return err_set(e, ERR_FORMAT,
                       "'%s' is no ONNX model: it names no IR version or operator set", path);
    if (!m->n_outputs)
        return err_set(e, ERR_DAMAGED, "'%s': the graph has no output", path);
    arena scratch = {.name = "onnx check"};
    name_set seen = {.arena = &scratch};
    bool ok = check_names(m, &seen, path, e);
    arena_free(&scratch);
    return ok;
}
