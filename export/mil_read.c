// SPDX-License-Identifier: GPL-3.0-or-later
// mil_read.c: a package back into the structs of mil.h. Nothing in it is believed: paths of the
// manifest stay inside the package, lengths and places are held against the file of numbers,
// messages are unpacked below a ceiling (coreml.proto nests to a fixed depth).
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "export/ceiling.h"
#include "export/coreml.pb-c.h"
#include "export/mil.h"
#include "export/mil_format.h"

#define MODEL_MAX ((size_t)INT32_MAX) // protobuf's own limit
#define BLOBS_MAX ((size_t)1 << 36)

enum { MANIFEST_MAX = 1 << 20, COUNT_MAX = 1 << 30 };

typedef struct reader {
    const char *path;
    mil_program *p;
    const uint8_t *blobs; // NULL: there is no such file
    size_t n_blobs;
    err *e;
} reader;

static const char *text(const char *s)
{
    return s ? s : "";
}

static bool damaged(const reader *r, const char *name, const char *what)
{
    return err_set(r->e, ERR_DAMAGED, "'%s': '%s' %s", r->path, name, what);
}

// ---- Types

static bool take_type(const reader *r, const char *name, const Coreml__ValueType *v, mil_type *t)
{
    const Coreml__TensorType *from = v ? v->tensor_type : NULL;
    int64_t n = 1;
    if (!from)
        return damaged(r, name, "is no array");
    *t = (mil_type){.kind = (mil_kind)from->data_type, .rank = (int)from->n_dimensions};
    if (from->n_dimensions > MIL_RANK || from->rank != (int64_t)from->n_dimensions)
        return damaged(r, name, "has more axes than Core ML takes, or fewer than it says");
    for (int k = 0; k < t->rank; k++) {
        const Coreml__ConstantDimension *d = from->dimensions[k]->constant;
        if (!d || d->size > COUNT_MAX || (d->size && n > COUNT_MAX / (int64_t)d->size))
            return damaged(r, name, d ? "has an impossible size" : "has a size that is not fixed");
        n *= t->dim[k] = (int64_t)d->size;
    }
    return true;
}

static bool take_value(const reader *r, const Coreml__NamedValueType *from, mil_value *v)
{
    v->name = text(from->name);
    return take_type(r, v->name, from->type, &v->type);
}

// ---- Constants

// A record of the file of numbers, and the numbers behind it.
static bool take_blob(const reader *r, mil_op *q, const Coreml__BlobFileValue *from)
{
    const mil_type t = mil_stored(q);
    uint64_t due = (uint64_t)mil_bytes(&t);
    mil_record record;
    if (!r->blobs)
        return damaged(r, q->out->name, "lies in a file of numbers, which is not there");
    if (from->offset % MIL_PLACE || from->offset < MIL_PLACE || r->n_blobs < sizeof record ||
        from->offset > r->n_blobs - sizeof record)
        return damaged(r, q->out->name, "lies beyond the file of numbers");
    memcpy(&record, r->blobs + from->offset, sizeof record);
    if (record.mark != MIL_MARK)
        return damaged(r, q->out->name, "lies where no record of numbers is");
    q->blob = (int64_t)from->offset;
    if (!due)
        return true;
    if (record.bytes != due ||
        record.type != (uint32_t)(t.kind == MIL_F16 ? MIL_BLOB_F16 : MIL_BLOB_F32) ||
        record.place % MIL_PLACE || record.place > r->n_blobs ||
        record.bytes > r->n_blobs - record.place)
        return damaged(r, q->out->name, "has other numbers in the file than its type says");
    q->data = r->blobs + record.place;
    return true;
}

static bool take_here(const reader *r, mil_op *q, const Coreml__TensorValue *v)
{
    const mil_type stored = mil_stored(q), *t = &stored;
    size_t n = (size_t)mil_count(t), has = 0;
    bool *truth = NEW(r->p->arena, bool, 1);
    if (t->kind == MIL_F32 && v->value_case == COREML__TENSOR_VALUE__VALUE_FLOATS)
        has = v->floats->n_values, q->data = v->floats->values;
    else if (t->kind == MIL_I32 && v->value_case == COREML__TENSOR_VALUE__VALUE_INTS)
        has = v->ints->n_values, q->data = v->ints->values;
    else if (t->kind == MIL_F16 && v->value_case == COREML__TENSOR_VALUE__VALUE_BYTES)
        has = v->bytes->values.len / 2, q->data = v->bytes->values.data;
    else if (t->kind == MIL_BOOL && v->value_case == COREML__TENSOR_VALUE__VALUE_BOOLS) {
        has = v->bools->n_values, q->data = truth;
        *truth = has && v->bools->values[0];
    } else if (t->kind == MIL_STRING && v->value_case == COREML__TENSOR_VALUE__VALUE_STRINGS) {
        has = v->strings->n_values, q->data = has ? text(v->strings->values[0]) : "";
    } else
        return mil_bytes(t) == 0 || damaged(r, q->out->name, "holds numbers of another type");
    if (has != n)
        return damaged(r, q->out->name, "has more numbers than its type says, or fewer");
    q->data = n ? q->data : "";
    return true;
}

// Halves as f32 are all that is widened here.
static bool check_widened(const reader *r, const Coreml__Value *v, const mil_op *q)
{
    mil_type t;
    if (!take_type(r, q->out->name, v->type, &t))
        return false;
    return (t.kind == MIL_F16 && q->out->type.kind == MIL_F32 &&
            mil_count(&t) == mil_count(&q->out->type)) ||
           damaged(r, q->out->name, "is widened from another kind than halves, or to another");
}

static bool take_constant(const reader *r, const Coreml__Operation *from, mil_op *q)
{
    bool widened = !strcmp(q->type, MIL_WIDENED);
    for (size_t i = 0; i < from->n_attributes; i++) {
        const Coreml__Value *v = from->attributes[i]->value;
        if (strcmp(text(from->attributes[i]->key), widened ? "source_val" : "val") != 0 || !v)
            continue;
        if (widened && !check_widened(r, v, q))
            return false;
        if (v->value_case == COREML__VALUE__VALUE_BLOB)
            return take_blob(r, q, v->blob);
        if (v->value_case == COREML__VALUE__VALUE_IMMEDIATE && v->immediate->tensor)
            return take_here(r, q, v->immediate->tensor);
    }
    return damaged(r, q->out->name, "is a constant without a value");
}

// ---- Operations

static bool take_args(const reader *r, const Coreml__Operation *from, mil_op *q)
{
    q->n_args = (int)from->n_inputs;
    q->args = NEW(r->p->arena, mil_arg, from->n_inputs + 1);
    for (int i = 0; i < q->n_args; i++) {
        const Coreml__Argument *v = from->inputs[i]->value;
        mil_arg *t = &q->args[i];
        *t = (mil_arg){.name = text(from->inputs[i]->key), .n = v ? (int)v->n_arguments : 0};
        t->values = NEW(r->p->arena, const char *, (size_t)t->n + 1);
        for (int k = 0; k < t->n; k++)
            t->values[k] = text(v->arguments[k]->name); // "": a value of its own
    }
    return true;
}

static bool take_op(const reader *r, const Coreml__Operation *from, mil_op *q)
{
    *q = (mil_op){.type = text(from->type), .n_out = (int)from->n_outputs};
    q->out = NEW(r->p->arena, mil_value, from->n_outputs + 1);
    for (int i = 0; i < q->n_out; i++)
        if (!take_value(r, from->outputs[i], &q->out[i]))
            return false;
    if (strcmp(q->type, "const") != 0 && strcmp(q->type, MIL_WIDENED) != 0)
        return take_args(r, from, q);
    return q->n_out == 1 ? take_constant(r, from, q)
                         : damaged(r, q->type, "makes more or less than one value");
}

static bool take_block(const reader *r, const Coreml__Block *b)
{
    mil_program *p = r->p;
    p->ops = NEW(p->arena, mil_op, b->n_operations + 1);
    for (size_t i = 0; i < b->n_operations; i++, p->n_ops++)
        if (!take_op(r, b->operations[i], &p->ops[p->n_ops]))
            return false;
    if (b->n_outputs > MIL_OUTS)
        return damaged(r, "main", "has more outputs than are read here");
    for (size_t i = 0; i < b->n_outputs; i++, p->n_outputs++) {
        p->outputs[i].name = text(b->outputs[i]);
        for (int k = 0; k < p->n_ops; k++)
            for (int o = 0; o < p->ops[k].n_out; o++)
                if (!strcmp(p->ops[k].out[o].name, p->outputs[i].name))
                    p->outputs[i].type = p->ops[k].out[o].type;
    }
    return true;
}

static bool take_main(const reader *r, const Coreml__Program *from)
{
    for (size_t i = 0; from && i < from->n_functions; i++) {
        const Coreml__Function *f = from->functions[i]->value;
        if (strcmp(text(from->functions[i]->key), "main") != 0 || !f)
            continue;
        if (f->n_inputs > MIL_ARGS)
            return damaged(r, "main", "has more inputs than are read here");
        for (size_t k = 0; k < f->n_inputs; k++, r->p->n_inputs++)
            if (!take_value(r, f->inputs[k], &r->p->inputs[k]))
                return false;
        for (size_t k = 0; k < f->n_block_specializations; k++)
            if (!strcmp(text(f->block_specializations[k]->key), text(f->opset)) &&
                f->block_specializations[k]->value)
                return take_block(r, f->block_specializations[k]->value);
    }
    return err_set(r->e, ERR_FORMAT, "'%s' holds no ML program with a function 'main'", r->path);
}

static void take_words(mil_program *p, const Coreml__ModelDescription *d)
{
    const Coreml__Metadata *m = d ? d->metadata : NULL;
    if (!m)
        return;
    p->summary = text(m->short_description);
    for (size_t i = 0; i < m->n_user_defined; i++)
        meta_set(&p->meta, text(m->user_defined[i]->key), text(m->user_defined[i]->value));
}

static void count_blobs(mil_program *p, size_t n_blobs)
{
    p->blob_bytes = (int64_t)n_blobs;
    for (int i = 0; i < p->n_ops; i++)
        p->n_blobs += p->ops[i].blob > 0;
}

mil_program *mil_decode(const char *path, const void *model, size_t n, const void *blobs,
                        size_t n_blobs, arena *a, err *e)
{
    static const size_t slack = (size_t)256 << 20;
    ceiling c = {a, 8 * n + slack};
    ProtobufCAllocator allocator = {ceiling_alloc, ceiling_free, &c};
    const Coreml__Model *m = coreml__model__unpack(&allocator, n, model);
    reader r = {path, mil_open(a), blobs, n_blobs, e};
    if (!m)
        return (void)err_set(e, ERR_DAMAGED,
                             "'%s' holds no Core ML model, or a damaged one; get it again", path),
               NULL;
    r.p->specification = m->specification_version;
    if (!take_main(&r, m->ml_program))
        return NULL;
    take_words(r.p, m->description);
    count_blobs(r.p, n_blobs);
    return r.p;
}

// ---- The package

bool mil_is_package(const char *path)
{
    size_t n = strlen(path);
    while (n && path[n - 1] == '/')
        n--;
    return n > 10 && !strncmp(path + n - 10, ".mlpackage", 10) && file_is_folder(path);
}

// Below Data/, without a way out of it.
static const char *path_of_item(const char *path, const json *item, arena *a)
{
    const char *p = json_str(json_get(item, "path"), "");
    bool out = !*p || *p == '/' || strstr(p, "..") || strlen(p) > 512;
    return out ? NULL : path_join(a, path_join(a, path, "Data"), p);
}

// The model's file, and the folder of its numbers (NULL: it has none).
static bool read_manifest(const char *path, const char **model, const char **weights, arena *a,
                          err *e)
{
    size_t n;
    const char *file = path_join(a, path, "Manifest.json");
    char *words = file_read(a, file, MANIFEST_MAX, &n, e);
    json *j = words ? json_parse(words, n, e) : NULL;
    if (!j)
        return !words ? false : err_trail(e, "'%s'", file);
    const json *items = json_get(j, "itemInfoEntries");
    const char *root = json_str(json_get(j, "rootModelIdentifier"), "");
    *model = path_of_item(path, json_get(items, root), a), *weights = NULL;
    for (void *it = json_type(items) == JSON_OBJECT ? json_first(items) : NULL; it;
         it = json_next(items, it))
        if (strcmp(json_key(it), root) != 0 && json_type(json_value(it)) == JSON_OBJECT)
            *weights = path_of_item(path, json_value(it), a);
    json_free(j);
    return *model || err_set(e, ERR_DAMAGED, "'%s' names no model that lies in the package", file);
}

mil_program *mil_read(const char *path, arena *a, err *e)
{
    size_t n, n_blobs = 0;
    const char *file = NULL, *folder = NULL;
    if (!read_manifest(path, &file, &folder, a, e))
        return NULL;
    const char *numbers = folder ? path_join(a, folder, "weight.bin") : NULL;
    const void *model = file_read(a, file, MODEL_MAX, &n, e), *blobs = NULL;
    if (!model)
        return NULL;
    if (numbers && file_exists(numbers) && !(blobs = file_read(a, numbers, BLOBS_MAX, &n_blobs, e)))
        return NULL;
    return mil_decode(path, model, n, blobs, n_blobs, a, e);
}
