// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_file.c: the one file that knows protobuf: structs to ModelProto and back, with protobuf-c
// and the messages of Debian's onnx.proto.
//
// protobuf-c is thread-safe (no global state), copies what it reads with the allocator that it is
// given, and never frees what it writes. It unpacks nested messages by recursion without a limit
// and takes about a hundred bytes of memory for two of the file: before it sees a file from
// outside, wire_depth bounds the nesting, and its allocator is an arena with a ceiling.
#include "export/onnx_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "export/ceiling.h"
#include "export/onnx_depth.h"
#include "onnx.pb-c.h"

#define FILE_MAX ((size_t)INT32_MAX) // protobuf's own limit

const char *onnx_protobuf_version(void)
{
    return protobuf_c_version();
}

// ---- Structs to messages. All in an arena; strings and bytes are shared with the model.

#define INIT(a, T, name, how)                                                                      \
    T *name = NEW(a, T, 1);                                                                        \
    how(name)

static Onnx__ValueInfoProto *value_message(arena *a, const onnx_value *v)
{
    INIT(a, Onnx__ValueInfoProto, out, onnx__value_info_proto__init);
    INIT(a, Onnx__TypeProto, type, onnx__type_proto__init);
    INIT(a, Onnx__TypeProto__Tensor, array, onnx__type_proto__tensor__init);
    INIT(a, Onnx__TensorShapeProto, dims, onnx__tensor_shape_proto__init);
    dims->n_dim = (size_t)v->rank;
    dims->dim = NEW(a, Onnx__TensorShapeProto__Dimension *, (size_t)v->rank + 1);
    for (int i = 0; i < v->rank; i++) {
        INIT(a, Onnx__TensorShapeProto__Dimension, d, onnx__tensor_shape_proto__dimension__init);
        d->value_case = v->sym[i] ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                                  : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (v->sym[i])
            d->dim_param = (char *)v->sym[i];
        else
            d->dim_value = v->dim[i];
        dims->dim[i] = d;
    }
    array->has_elem_type = 1;
    array->elem_type = v->type;
    array->shape = dims;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = array;
    out->name = (char *)v->name;
    out->type = type;
    return out;
}

static Onnx__ValueInfoProto **value_messages(arena *a, const onnx_value *list, int n)
{
    Onnx__ValueInfoProto **out = NEW(a, Onnx__ValueInfoProto *, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        out[i] = value_message(a, &list[i]);
    return out;
}

static Onnx__TensorProto *tensor_message(arena *a, const onnx_tensor *t)
{
    INIT(a, Onnx__TensorProto, out, onnx__tensor_proto__init);
    out->name = (char *)t->name;
    out->has_data_type = 1;
    out->data_type = t->type;
    out->n_dims = (size_t)t->rank;
    out->dims = (int64_t *)t->dim;
    out->has_raw_data = 1;
    out->raw_data = (ProtobufCBinaryData){t->bytes, (uint8_t *)t->data};
    return out;
}

static Onnx__AttributeProto *attr_message(arena *a, const onnx_attr *t)
{
    INIT(a, Onnx__AttributeProto, out, onnx__attribute_proto__init);
    out->name = (char *)t->name;
    out->has_type = 1;
    out->type = (Onnx__AttributeProto__AttributeType)t->type;
    out->has_f = t->type == ONNX_ATTR_FLOAT;
    out->f = t->f;
    out->has_i = t->type == ONNX_ATTR_INT;
    out->i = t->i;
    out->has_s = t->type == ONNX_ATTR_STRING;
    if (out->has_s)
        out->s = (ProtobufCBinaryData){strlen(t->s), (uint8_t *)t->s};
    if (t->type == ONNX_ATTR_INTS)
        out->n_ints = (size_t)t->n, out->ints = (int64_t *)t->ints;
    return out;
}

static Onnx__NodeProto *node_message(arena *a, const onnx_node *n)
{
    INIT(a, Onnx__NodeProto, out, onnx__node_proto__init);
    out->op_type = (char *)n->op;
    out->name = (char *)n->name;
    out->n_input = (size_t)n->n_in;
    out->input = (char **)n->in;
    out->n_output = (size_t)n->n_out;
    out->output = (char **)n->out;
    out->n_attribute = (size_t)n->n_attr;
    out->attribute = NEW(a, Onnx__AttributeProto *, (size_t)n->n_attr + 1);
    for (int i = 0; i < n->n_attr; i++)
        out->attribute[i] = attr_message(a, &n->attrs[i]);
    return out;
}

static Onnx__GraphProto *graph_message(arena *a, const onnx_model *m)
{
    INIT(a, Onnx__GraphProto, g, onnx__graph_proto__init);
    g->name = (char *)m->name;
    g->doc_string = (char *)m->doc;
    g->n_node = (size_t)m->n_nodes;
    g->node = NEW(a, Onnx__NodeProto *, g->n_node + 1);
    for (int i = 0; i < m->n_nodes; i++)
        g->node[i] = node_message(a, &m->nodes[i]);
    g->n_initializer = (size_t)m->n_tensors;
    g->initializer = NEW(a, Onnx__TensorProto *, g->n_initializer + 1);
    for (int i = 0; i < m->n_tensors; i++)
        g->initializer[i] = tensor_message(a, &m->tensors[i]);
    g->n_input = (size_t)m->n_inputs;
    g->input = value_messages(a, m->inputs, m->n_inputs);
    g->n_output = (size_t)m->n_outputs;
    g->output = value_messages(a, m->outputs, m->n_outputs);
    g->n_value_info = (size_t)m->n_infos;
    g->value_info = value_messages(a, m->infos, m->n_infos);
    return g;
}

static Onnx__ModelProto *model_message(arena *a, const onnx_model *m)
{
    INIT(a, Onnx__ModelProto, out, onnx__model_proto__init);
    INIT(a, Onnx__OperatorSetIdProto, opset, onnx__operator_set_id_proto__init);
    opset->domain = (char *)"";
    opset->has_version = 1;
    opset->version = m->opset;
    out->n_opset_import = 1;
    out->opset_import = NEW(a, Onnx__OperatorSetIdProto *, 1);
    out->opset_import[0] = opset;
    out->has_ir_version = 1;
    out->ir_version = m->ir;
    out->producer_name = (char *)m->producer;
    out->producer_version = (char *)m->producer_version;
    out->has_model_version = 1;
    out->model_version = 1;
    out->doc_string = (char *)m->doc;
    out->graph = graph_message(a, m);
    out->n_metadata_props = (size_t)m->meta.n;
    out->metadata_props = NEW(a, Onnx__StringStringEntryProto *, (size_t)m->meta.n + 1);
    for (int i = 0; i < m->meta.n; i++) {
        INIT(a, Onnx__StringStringEntryProto, s, onnx__string_string_entry_proto__init);
        s->key = m->meta.keys[i];
        s->value = m->meta.values[i];
        out->metadata_props[i] = s;
    }
    return out;
}

// ---- Writing

typedef struct file_buffer {
    ProtobufCBuffer base;
    file_out *file;
} file_buffer;

static void file_append(ProtobufCBuffer *b, size_t n, const uint8_t *bytes)
{
    file_put(((file_buffer *)b)->file, bytes, n);
}

static bool write_message(const Onnx__ModelProto *message, const char *path, err *e)
{
    file_buffer b = {.base = {.append = file_append}, .file = file_create(path, e)};
    if (b.file)
        onnx__model_proto__pack_to_buffer(message, &b.base);
    return b.file && file_finish(b.file, e);
}

bool onnx_write(const onnx_model *m, const char *path, err *e)
{
    arena a = {.name = "onnx messages"};
    const Onnx__ModelProto *message = model_message(&a, m);
    bool ok =
        onnx__model_proto__get_packed_size(message) <= FILE_MAX
            ? write_message(message, path, e)
            : err_set(e, ERR_VALUE,
                      "'%s' would be larger than the 2 GiB that a protobuf file may have", path);
    arena_free(&a);
    return ok;
}

// ---- Messages to structs

static const char *text(const char *s)
{
    return s ? s : "";
}

static onnx_value value_struct(const Onnx__ValueInfoProto *v)
{
    onnx_value out = {.name = text(v->name), .rank = -1};
    if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return out;
    const Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    out.type = t->elem_type;
    if (!t->shape || t->shape->n_dim > ONNX_RANK)
        return out;
    out.rank = (int)t->shape->n_dim;
    for (int i = 0; i < out.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        out.dim[i] = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                         ? d->dim_value
                         : -1;
        out.sym[i] = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM
                         ? text(d->dim_param)
                         : NULL;
    }
    return out;
}

static bool add_tensor(onnx_model *m, const Onnx__TensorProto *t)
{
    onnx_tensor out = {.name = text(t->name), .type = t->data_type, .rank = (int)t->n_dims};
    if (t->n_dims > ONNX_RANK)
        return false;
    for (int i = 0; i < out.rank; i++)
        out.dim[i] = t->dims[i];
    out.external = t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (t->has_raw_data)
        out.data = t->raw_data.len ? t->raw_data.data : (const uint8_t *)"",
        out.bytes = t->raw_data.len;
    onnx_add_tensor(m, &out);
    return true;
}

static void add_node(onnx_model *m, const Onnx__NodeProto *n)
{
    onnx_node out = {.op = n->op_type,
                     .name = n->name,
                     .domain = n->domain,
                     .n_in = (int)n->n_input,
                     .n_out = (int)n->n_output};
    out.in = (const char **)n->input;
    out.out = (const char **)n->output;
    out.n_attr = (int)n->n_attribute;
    out.attrs = NEW(m->arena, onnx_attr, n->n_attribute + 1);
    for (size_t i = 0; i < n->n_attribute; i++) {
        const Onnx__AttributeProto *t = n->attribute[i];
        onnx_attr *o = &out.attrs[i];
        *o = (onnx_attr){.name = t->name,
                         .type = (int)t->type,
                         .i = t->i,
                         .f = t->f,
                         .n = (int)t->n_ints,
                         .ints = t->ints};
        if (t->s.len)
            o->s = arena_printf(m->arena, "%.*s", (int)t->s.len, (const char *)t->s.data);
    }
    onnx_add_node(m, &out);
}

static bool add_graph(onnx_model *m, const Onnx__GraphProto *g)
{
    m->name = text(g->name);
    for (size_t i = 0; i < g->n_initializer; i++)
        if (!add_tensor(m, g->initializer[i]))
            return false;
    for (size_t i = 0; i < g->n_input; i++)
        onnx_add_input(m, value_struct(g->input[i]));
    for (size_t i = 0; i < g->n_output; i++)
        onnx_add_output(m, value_struct(g->output[i]));
    for (size_t i = 0; i < g->n_value_info; i++)
        onnx_add_info(m, value_struct(g->value_info[i]));
    for (size_t i = 0; i < g->n_node; i++)
        add_node(m, g->node[i]);
    return true;
}

static void add_header(onnx_model *m, const Onnx__ModelProto *p)
{
    m->ir = p->ir_version;
    m->opset = 0;
    // ONNX's own set, else the first: a model may be of other operators alone
    for (size_t i = 0; i < p->n_opset_import; i++) {
        const char *domain = text(p->opset_import[i]->domain);
        if (!m->opset || !*domain || !strcmp(domain, "ai.onnx"))
            m->opset = p->opset_import[i]->version;
    }
    m->producer = text(p->producer_name);
    m->producer_version = text(p->producer_version);
    m->doc = text(p->doc_string);
    for (size_t i = 0; i < p->n_metadata_props; i++)
        meta_set(&m->meta, text(p->metadata_props[i]->key), text(p->metadata_props[i]->value));
}

onnx_model *onnx_decode(const char *path, const void *bytes, size_t n, arena *a, err *e)
{
    enum { DEPTH = 64 };
    static const size_t slack = (size_t)256 << 20;
    ceiling c = {a, 8 * n + slack};
    ProtobufCAllocator allocator = {ceiling_alloc, ceiling_free, &c};
    const Onnx__ModelProto *p =
        onnx_depth_within(bytes, n, DEPTH) ? onnx__model_proto__unpack(&allocator, n, bytes) : NULL;
    if (!p || !p->graph) {
        (void)err_set(e, p ? ERR_FORMAT : ERR_DAMAGED, "'%s' is %s", path,
                      p ? "no ONNX model: it has no graph"
                        : "no ONNX model, or damaged; get the file again");
        return NULL;
    }
    onnx_model *m = onnx_model_open(a);
    add_header(m, p);
    if (add_graph(m, p->graph))
        return m;
    (void)err_set(e, ERR_FORMAT, "'%s' holds a tensor of more than %d dimensions", path, ONNX_RANK);
    return NULL;
}

onnx_model *onnx_read(const char *path, arena *a, err *e)
{
    arena scratch = {.name = "onnx file"};
    size_t n;
    const char *bytes = file_read(&scratch, path, FILE_MAX, &n, e);
    onnx_model *m = NULL;
    if (bytes && !n)
        (void)err_set(e, ERR_EMPTY, "'%s' is empty", path);
    else if (bytes)
        m = onnx_decode(path, bytes, n, a, e);
    arena_free(&scratch);
    return m;
}
