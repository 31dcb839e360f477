// SPDX-License-Identifier: GPL-3.0-or-later
// mil_file.c: a program (mil.h) as a package on disk: the one file that knows Core ML's messages
// (coreml.proto), with protobuf-c.
//
//     X.mlpackage/Manifest.json                                    what is in it, by identifier
//     X.mlpackage/Data/com.apple.CoreML/model.mlmodel              the model, a message
//     X.mlpackage/Data/com.apple.CoreML/weights/weight.bin         the numbers, little-endian:
//         u32 count, u32 version 2, zeros up to 64
//         for each array: u32 0xDEADBEEF, u32 type, u64 bytes, u64 place, zeros up to 64; numbers,
//         zeros up to the next multiple of 64
//
// Specification 7 is of iOS 16 and macOS 13, and their operations are the set "CoreML6".
// Identifiers are made of the content, so that the same model is the same package.
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/version.h"
#include "export/coreml.pb-c.h"
#include "export/mil.h"
#include "export/mil_format.h"

enum { SPECIFICATION = 7 };

static const char opset[] = "CoreML6";
static const char folder[] = MIL_FOLDER;

// ---- Structs to messages. All in an arena; strings and numbers are shared with the program.

#define INIT(a, T, name, how)                                                                      \
    T *name = NEW(a, T, 1);                                                                        \
    how(name)

static Coreml__ValueType *type_message(arena *a, const mil_type *t)
{
    INIT(a, Coreml__ValueType, out, coreml__value_type__init);
    INIT(a, Coreml__TensorType, array, coreml__tensor_type__init);
    array->data_type = (Coreml__DataType)t->kind;
    array->rank = t->rank;
    array->n_dimensions = (size_t)t->rank;
    array->dimensions = NEW(a, Coreml__Dimension *, (size_t)t->rank + 1);
    for (int i = 0; i < t->rank; i++) {
        INIT(a, Coreml__Dimension, d, coreml__dimension__init);
        INIT(a, Coreml__ConstantDimension, size, coreml__constant_dimension__init);
        size->size = (uint64_t)t->dim[i];
        d->constant = size;
        array->dimensions[i] = d;
    }
    out->tensor_type = array;
    return out;
}

static Coreml__NamedValueType *value_message(arena *a, const mil_value *v)
{
    INIT(a, Coreml__NamedValueType, out, coreml__named_value_type__init);
    out->name = (char *)v->name;
    out->type = type_message(a, &v->type);
    return out;
}

// One case of TensorValue: a message that holds a list.
#define LIST(field, T, how, CASE, element, list)                                                   \
    do {                                                                                           \
        INIT(a, T, values, how);                                                                   \
        values->n_values = n;                                                                      \
        values->values = (element)(list);                                                          \
        out->value_case = COREML__TENSOR_VALUE__VALUE_##CASE;                                      \
        out->field = values;                                                                       \
    } while (0)

static Coreml__TensorValue *bytes_message(arena *a, const void *data, size_t bytes)
{
    INIT(a, Coreml__TensorValue, out, coreml__tensor_value__init);
    INIT(a, Coreml__Bytes, values, coreml__bytes__init);
    values->values = (ProtobufCBinaryData){bytes, (uint8_t *)data};
    out->value_case = COREML__TENSOR_VALUE__VALUE_BYTES;
    out->bytes = values;
    return out;
}

static Coreml__TensorValue *tensor_message(arena *a, const mil_type *t, const void *data)
{
    size_t n = (size_t)mil_count(t);
    if (t->kind == MIL_F16)
        return bytes_message(a, data, 2 * n);
    INIT(a, Coreml__TensorValue, out, coreml__tensor_value__init);
    protobuf_c_boolean *truth = NEW(a, protobuf_c_boolean, 1);
    char **text = NEW(a, char *, 1);
    if (t->kind == MIL_F32)
        LIST(floats, Coreml__Floats, coreml__floats__init, FLOATS, float *, data);
    else if (t->kind == MIL_I32)
        LIST(ints, Coreml__Ints, coreml__ints__init, INTS, int32_t *, data);
    else if (t->kind == MIL_BOOL) {
        *truth = *(const bool *)data;
        LIST(bools, Coreml__Bools, coreml__bools__init, BOOLS, protobuf_c_boolean *, truth);
    } else {
        *text = (char *)data;
        LIST(strings, Coreml__Strings, coreml__strings__init, STRINGS, char **, text);
    }
    return out;
}

static Coreml__ValueEntry *constant_message(arena *a, const char *key, const mil_type *t,
                                            const void *data, int64_t blob)
{
    INIT(a, Coreml__ValueEntry, out, coreml__value_entry__init);
    INIT(a, Coreml__Value, v, coreml__value__init);
    v->type = type_message(a, t);
    if (blob) {
        INIT(a, Coreml__BlobFileValue, place, coreml__blob_file_value__init);
        place->file_name = (char *)"@model_path/weights/weight.bin";
        place->offset = (uint64_t)blob;
        v->value_case = COREML__VALUE__VALUE_BLOB;
        v->blob = place;
    } else {
        INIT(a, Coreml__ImmediateValue, here, coreml__immediate_value__init);
        here->tensor = tensor_message(a, t, data);
        v->value_case = COREML__VALUE__VALUE_IMMEDIATE;
        v->immediate = here;
    }
    out->key = (char *)key;
    out->value = v;
    return out;
}

static Coreml__ArgumentEntry *arg_message(arena *a, const mil_arg *t)
{
    INIT(a, Coreml__ArgumentEntry, out, coreml__argument_entry__init);
    INIT(a, Coreml__Argument, list, coreml__argument__init);
    list->n_arguments = (size_t)t->n;
    list->arguments = NEW(a, Coreml__Binding *, (size_t)t->n);
    for (int i = 0; i < t->n; i++) {
        INIT(a, Coreml__Binding, b, coreml__binding__init);
        b->name = (char *)t->values[i];
        list->arguments[i] = b;
    }
    out->key = (char *)t->name;
    out->value = list;
    return out;
}

static Coreml__Operation *op_message(arena *a, const mil_op *q)
{
    INIT(a, Coreml__Operation, out, coreml__operation__init);
    out->type = (char *)q->type;
    out->n_inputs = (size_t)q->n_args;
    out->inputs = NEW(a, Coreml__ArgumentEntry *, out->n_inputs + 1);
    for (int i = 0; i < q->n_args; i++)
        out->inputs[i] = arg_message(a, &q->args[i]);
    out->n_outputs = (size_t)q->n_out;
    out->outputs = NEW(a, Coreml__NamedValueType *, out->n_outputs + 1);
    for (int i = 0; i < q->n_out; i++)
        out->outputs[i] = value_message(a, &q->out[i]);
    const mil_type text = {.kind = MIL_STRING}, stored = mil_stored(q);
    bool widened = stored.kind != q->out[0].type.kind;
    out->attributes = NEW(a, Coreml__ValueEntry *, 3);
    out->attributes[out->n_attributes++] = constant_message(a, "name", &text, q->out[0].name, 0);
    if (q->data)
        out->attributes[out->n_attributes++] =
            constant_message(a, widened ? "source_val" : "val", &stored, q->data, q->blob);
    if (widened)
        out->attributes[out->n_attributes++] =
            constant_message(a, "output_dtype", &text, "fp32", 0);
    return out;
}

static Coreml__Program *program_message(arena *a, const mil_program *p)
{
    INIT(a, Coreml__Program, out, coreml__program__init);
    INIT(a, Coreml__FunctionEntry, main, coreml__function_entry__init);
    INIT(a, Coreml__Function, f, coreml__function__init);
    INIT(a, Coreml__BlockEntry, body, coreml__block_entry__init);
    INIT(a, Coreml__Block, b, coreml__block__init);
    b->n_operations = (size_t)p->n_ops;
    b->operations = NEW(a, Coreml__Operation *, b->n_operations + 1);
    for (int i = 0; i < p->n_ops; i++)
        b->operations[i] = op_message(a, &p->ops[i]);
    b->n_outputs = (size_t)p->n_outputs;
    b->outputs = NEW(a, char *, b->n_outputs + 1);
    for (int i = 0; i < p->n_outputs; i++)
        b->outputs[i] = (char *)p->outputs[i].name;
    body->key = (char *)opset, body->value = b;
    f->n_inputs = (size_t)p->n_inputs;
    f->inputs = NEW(a, Coreml__NamedValueType *, f->n_inputs + 1);
    for (int i = 0; i < p->n_inputs; i++)
        f->inputs[i] = value_message(a, &p->inputs[i]);
    f->opset = (char *)opset;
    f->n_block_specializations = 1;
    f->block_specializations = NEW(a, Coreml__BlockEntry *, 1);
    f->block_specializations[0] = body;
    main->key = (char *)"main", main->value = f;
    out->version = 1;
    out->n_functions = 1;
    out->functions = NEW(a, Coreml__FunctionEntry *, 1);
    out->functions[0] = main;
    return out;
}

static Coreml__FeatureDescription **feature_messages(arena *a, const mil_value *list, int n)
{
    Coreml__FeatureDescription **out = NEW(a, Coreml__FeatureDescription *, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        INIT(a, Coreml__FeatureDescription, f, coreml__feature_description__init);
        INIT(a, Coreml__FeatureType, type, coreml__feature_type__init);
        INIT(a, Coreml__ArrayFeatureType, array, coreml__array_feature_type__init);
        array->data_type = list[i].type.kind == MIL_I32 ? COREML__ARRAY_DATA_TYPE__ARRAY_INT32
                                                        : COREML__ARRAY_DATA_TYPE__ARRAY_FLOAT32;
        array->n_shape = (size_t)list[i].type.rank;
        array->shape = (int64_t *)list[i].type.dim;
        type->array = array;
        f->name = (char *)list[i].name;
        f->type = type;
        out[i] = f;
    }
    return out;
}

static Coreml__ModelDescription *description_message(arena *a, const mil_program *p)
{
    INIT(a, Coreml__ModelDescription, out, coreml__model_description__init);
    INIT(a, Coreml__Metadata, words, coreml__metadata__init);
    out->n_input = (size_t)p->n_inputs;
    out->input = feature_messages(a, p->inputs, p->n_inputs);
    out->n_output = (size_t)p->n_outputs;
    out->output = feature_messages(a, p->outputs, p->n_outputs);
    words->short_description = (char *)p->summary;
    words->version_string = (char *)KMIDI_VERSION;
    words->author = (char *)"kmidi";
    words->n_user_defined = (size_t)p->meta.n;
    words->user_defined = NEW(a, Coreml__TextEntry *, words->n_user_defined + 1);
    for (int i = 0; i < p->meta.n; i++) {
        INIT(a, Coreml__TextEntry, entry, coreml__text_entry__init);
        entry->key = p->meta.keys[i];
        entry->value = p->meta.values[i];
        words->user_defined[i] = entry;
    }
    out->metadata = words;
    return out;
}

// ---- Numbers

static bool write_blobs(const mil_program *p, const char *path, err *e)
{
    static const uint8_t zeros[MIL_PLACE];
    file_out *f = file_create(path, e);
    if (!f)
        return false;
    uint32_t head[MIL_PLACE / 4] = {(uint32_t)p->n_blobs, MIL_BLOBS};
    file_put(f, head, sizeof head);
    for (int i = 0; i < p->n_ops; i++) {
        const mil_op *q = &p->ops[i];
        if (!q->blob)
            continue;
        const mil_type t = mil_stored(q);
        uint64_t bytes = (uint64_t)mil_bytes(&t);
        mil_record r = {.mark = MIL_MARK,
                        .type = t.kind == MIL_F16 ? MIL_BLOB_F16 : MIL_BLOB_F32,
                        .bytes = bytes,
                        .place = (uint64_t)q->blob + MIL_PLACE};
        file_put(f, &r, sizeof r);
        file_put(f, q->data, bytes);
        file_put(f, zeros, (MIL_PLACE - bytes % MIL_PLACE) % MIL_PLACE);
    }
    return file_finish(f, e);
}

// ---- The package

// An identifier as the format wants them, of what it stands for: RFC 9562, version 8.
static const char *identifier(arena *a, const char *what, const void *bytes, size_t n)
{
    char hex[65];
    digest *d = digest_open();
    digest_add_str(d, what);
    digest_add(d, bytes, n);
    digest_close(d, hex);
    for (char *s = hex; *s; s++)
        if (*s >= 'a')
            *s -= 'a' - 'A';
    return arena_printf(a, "%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15,
                        hex + 18);
}

static void add_item(json *items, const char *id, const char *description, const char *name,
                     const char *path)
{
    json *item = json_object();
    json_set_str(item, "author", folder);
    json_set_str(item, "description", description);
    json_set_str(item, "name", name);
    json_set_str(item, "path", path);
    json_set(items, id, item);
}

static bool write_manifest(const char *path, const void *model, size_t n, arena *a, err *e)
{
    const char *id = identifier(a, "model", model, n),
               *weights = identifier(a, "weights", model, n);
    json *j = json_object(), *items = json_object();
    strbuf text = {0};
    add_item(items, id, "CoreML Model Specification", "model.mlmodel",
             path_join(a, folder, "model.mlmodel"));
    add_item(items, weights, "CoreML Model Weights", "weights", path_join(a, folder, "weights"));
    json_set_str(j, "fileFormatVersion", "1.0.0");
    json_set(j, "itemInfoEntries", items);
    json_set_str(j, "rootModelIdentifier", id);
    json_dump(j, 4, &text);
    bool ok = file_write(path, text.s, text.len, e);
    strbuf_free(&text);
    json_free(j);
    return ok;
}

// The manifest goes first and comes back last: half a package is none.
static bool write_all(const mil_program *p, const char *path, int64_t *sum, arena *a, err *e)
{
    INIT(a, Coreml__Model, m, coreml__model__init);
    const char *manifest = path_join(a, path, "Manifest.json"),
               *data = path_join(a, path_join(a, path, "Data"), folder),
               *weights = path_join(a, data, "weights");
    m->specification_version = SPECIFICATION;
    m->description = description_message(a, p);
    m->ml_program = program_message(a, p);
    size_t n = coreml__model__get_packed_size(m);
    uint8_t *bytes = NEW(a, uint8_t, n);
    *sum = p->blob_bytes + (int64_t)n;
    (void)coreml__model__pack(m, bytes);
    if (!file_make_dirs(weights, e))
        return false;
    if (unlink(manifest) && file_exists(manifest))
        return err_errno(e, "cannot replace '%s'", manifest);
    return write_blobs(p, path_join(a, weights, "weight.bin"), e) &&
           file_write(path_join(a, data, "model.mlmodel"), bytes, n, e) &&
           write_manifest(manifest, bytes, n, a, e);
}

bool mil_write(const mil_program *p, const char *path, int64_t *bytes, err *e)
{
    arena a = {.name = "package"};
    bool ok = write_all(p, path, bytes, &a, e);
    arena_free(&a);
    return ok;
}
